from dataclasses import replace

import numpy as np
import pytest
import torch

from recdistill.data import Cases, Sequences
from recdistill.errors import UserError
from recdistill.evaluation import Recommender, cases_digest, evaluate
from recdistill.evaluation._outcomes import KS


def test_the_scorer_of_these_tests_is_a_recommender(scorer):
    assert isinstance(scorer, Recommender)


def test_an_all_equal_scorer_scores_like_chance(scorer, cases, catalog, train):
    scorer.table[:, 1:] = 0.25
    metrics = evaluate(scorer, cases, catalog, train).metrics()
    free = catalog.n_items - cases.history.lengths
    for k in KS:
        assert metrics[f"recall_at_{k}"] == pytest.approx(np.minimum(k / free, 1).mean())
        assert metrics[f"unmasked/recall_at_{k}"] == pytest.approx(k / catalog.n_items)


def test_the_batch_size_and_the_order_of_cases_change_nothing(scorer, cases, catalog, train):
    whole = evaluate(scorer, cases, catalog, train)
    small = evaluate(scorer, cases, catalog, train, batch_size=7)
    assert small.per_user.equals(whole.per_user)
    assert small.metrics() == whole.metrics()

    order = np.random.default_rng(0).permutation(len(cases.targets))
    shuffled = Cases(cases.users[order], cases.history.take(order), cases.targets[order])
    table = evaluate(scorer, shuffled, catalog, train).per_user
    assert table.equals(whole.per_user.iloc[order].reset_index(drop=True))


def test_every_case_is_scored_in_one_pass(scorer, cases, catalog, train):
    evaluate(scorer, cases, catalog, train, batch_size=16)
    assert scorer.n_calls == -(-len(cases.targets) // 16)


def test_recall_rises_with_k_and_bounds_hold_it(scorer, cases, catalog, train):
    metrics = evaluate(scorer, cases, catalog, train).metrics()
    for prefix in ("", "unmasked/"):
        recalls = [metrics[f"{prefix}recall_at_{k}"] for k in KS]
        assert recalls == sorted(recalls)
        assert recalls[0] < recalls[-1]
        for k in KS:
            low, high = (metrics[f"{prefix}recall_at_{k}_{end}"] for end in ("low", "high"))
            assert low < metrics[f"{prefix}recall_at_{k}"] < high
            hits = metrics[f"{prefix}hits_at_{k}"] / metrics["n_users"]
            assert hits == pytest.approx(metrics[f"{prefix}recall_at_{k}"])


def test_new_and_known_targets_make_up_the_whole(scorer, cases, catalog, train):
    few = train.take(np.arange(4))
    found = evaluate(scorer, cases, catalog, few)
    metrics = found.metrics()
    is_new = ~np.isin(cases.targets, few.items)
    assert 0 < metrics["new/n_users"] == is_new.sum() < len(is_new)
    for metric in ("recall", "ndcg"):
        total = sum(
            metrics[f"{part}/n_users"] * metrics[f"{part}/{metric}_at_10"]
            for part in ("new", "known")
        )
        assert total / len(is_new) == pytest.approx(metrics[f"{metric}_at_10"])
    assert {n for n in metrics if "/" in n} - {n for n in found.main_metrics() if "/" in n} == {
        n for n in metrics if n.startswith("unmasked/")
    }


def test_without_a_new_target_nothing_is_split(scorer, cases, catalog):
    everything = Sequences.from_lists([np.arange(1, catalog.n_items + 1)])
    found = evaluate(scorer, cases, catalog, everything).metrics()
    assert not any(name.startswith(("new/", "known/")) for name in found)


def test_a_target_repeated_from_its_history_is_a_miss_masked_and_counts_unmasked(
    scorer, catalog, train
):
    history = Sequences.from_lists([[1, 2, 3], [1, 2, 3]])
    cases = Cases(np.arange(2), history, np.array([2, 9], np.int32))
    scorer.table[3, 1:] = torch.arange(catalog.n_items, 0, -1.0)
    evaluation = evaluate(scorer, cases, catalog, train)
    assert evaluation.per_user["repeated"].tolist() == [True, False]
    assert evaluation.outcome("recall", 50).tolist() == [0.0, 1.0]
    assert evaluation.outcome("recall", 5, masked=False).tolist() == [1.0, 0.0]


def test_a_model_of_another_catalog_is_refused(scorer, cases, catalog, train):
    scorer.catalog_digest = "0" * 32
    with pytest.raises(UserError, match=r"TableScorer.*was made for catalog 000000000000"):
        evaluate(scorer, cases, catalog, train)


def test_scores_of_the_wrong_width_are_refused(scorer, cases, catalog, train):
    scorer.table = scorer.table[:, :-1]
    with pytest.raises(UserError, match=r"TableScorer scored in shape \(40, 60\)"):
        evaluate(scorer, cases, catalog, train)


def test_no_case_at_all_is_refused(scorer, catalog, train):
    nobody = Cases(np.zeros(0, np.int64), Sequences.from_lists([]), np.zeros(0, np.int32))
    with pytest.raises(UserError, match="no case to evaluate"):
        evaluate(scorer, nobody, catalog, train)


def test_the_digest_tells_other_targets_users_and_histories_apart(cases):
    targets = cases.targets.copy()
    targets[0] = targets[0] % 60 + 1
    history = cases.history.tail(4)
    variants = [
        cases,
        replace(cases, targets=targets),
        replace(cases, users=cases.users[::-1]),
        replace(cases, history=history),
    ]
    assert len({cases_digest(c) for c in variants}) == len(variants)
