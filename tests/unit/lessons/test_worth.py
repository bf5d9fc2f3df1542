"""What a teacher adds is what the others miss, on cases that no weight was fitted on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from recdistill.evaluation import evaluate
from recdistill.floors import fit_floor
from recdistill.lessons import MemberScores, judge_members, member_scores, weigh, weigh_by_ndcg

if TYPE_CHECKING:
    from recdistill.data import PreparedData

N_CASES, N_ITEMS = 600, 40


@pytest.fixture(scope="module")
def scores() -> MemberScores:
    """Three teachers: two know different halves of the answer, one knows nothing."""
    random = torch.Generator().manual_seed(3)
    first, second, noise = (torch.randn(N_CASES, N_ITEMS + 1, generator=random) for _ in range(3))
    chances = (1.5 * first + 1.5 * second)[:, 1:].softmax(1)
    targets = torch.multinomial(chances, 1, generator=random)[:, 0] + 1
    terms = [first, second, noise]
    for term in terms:
        term[:, 0] = -torch.inf
    return MemberScores(terms, targets, torch.zeros(N_CASES, N_ITEMS + 1, dtype=torch.bool))


def test_members_that_know_something_add_it_and_noise_adds_nothing(scores: MemberScores) -> None:
    worth = judge_members(scores, ["first", "second", "noise"])
    first, second, noise = worth.members
    assert min(first.low, second.low) > 0.05
    assert abs(noise.adds) < 0.02
    assert worth.ndcg_at_10 > max(m.ndcg_at_10 for m in worth.members)


def test_the_oracle_bounds_every_member_and_a_twin_overlaps_wholly(scores: MemberScores) -> None:
    twins = MemberScores([scores.terms[0], scores.terms[0]], scores.targets, scores.hidden)
    worth = judge_members(twins, ["one", "twin"])
    assert worth.overlap == {"one and twin": 1.0}
    assert worth.oracle_recall_at_10 == scores.outcome([1.0, 0, 0], "recall").mean()
    both = judge_members(scores, ["first", "second", "noise"])
    assert both.oracle_recall_at_10 >= worth.oracle_recall_at_10
    assert all(0 <= share <= 1 for share in both.overlap.values())
    assert all(abs(m.adds) < 1e-6 for m in worth.members), "a twin replaces its twin"


def test_a_teacher_alone_adds_all_that_is_known(scores: MemberScores) -> None:
    alone = MemberScores(scores.terms[:1], scores.targets, scores.hidden)
    worth = judge_members(alone, ["first"])
    assert worth.members[0].adds == pytest.approx(worth.ndcg_at_10)
    assert "no loss" not in " ".join(worth.sentences())


def test_a_teacher_that_knows_nothing_is_named(scores: MemberScores) -> None:
    rows = torch.arange(N_CASES)
    rude = scores.terms[0].clone()
    rude[rows, scores.targets] = -5.0
    wrong = MemberScores([scores.terms[0], rude], scores.targets, scores.hidden)
    said = judge_members(wrong, ["good", "rude"]).sentences()
    assert said[1] == "Left out one at a time, these 600 cases show no loss for rude."


@pytest.mark.parametrize("shrink", [0.0, 0.5, 1.0])
def test_climbing_never_loses_where_it_climbs_and_keeps_the_order_it_started_from_when_shrunk(
    scores: MemberScores, shrink: float
) -> None:
    start = scores.weights()
    found = weigh_by_ndcg(scores, start, shrink=shrink)
    before, after = (float(scores.outcome(w).mean()) for w in (start, found))
    if shrink == 0:
        assert after >= before
    if shrink == 1:
        assert found == pytest.approx(start, rel=0.05)
    assert min(found) >= 0


def test_votes_rank_as_evaluation_does(walks: PreparedData) -> None:
    members = [fit_floor(kind, walks.train, walks.catalog) for kind in ("counter", "knn")]
    scores = member_scores(members, walks)
    weights = scores.weights()
    pool = weigh(members, walks, scores=scores)
    assert tuple(pool.weights) == weights
    found = evaluate(pool, walks.val, walks.catalog, walks.train)
    np.testing.assert_allclose(scores.outcome(weights), found.outcome("ndcg", 10), atol=1e-6)


def test_fewer_cases_are_asked_where_their_scores_would_not_fit(
    walks: PreparedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "recdistill.lessons._member_scores._MOST_BYTES", 4 * 5 * (walks.catalog.n_items + 1)
    )
    scores = member_scores([fit_floor("counter", walks.train, walks.catalog)], walks)
    assert len(scores.targets) == 5
