"""Who wins a challenge: trained students and untrained ones, on one catalog and a grown one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from recdistill.data import Catalog, Sequences
from recdistill.errors import UserError
from recdistill.evaluation import evaluate
from recdistill.serving import (
    ChallengeRules,
    TopK,
    challenge,
)
from recdistill.serving._in_catalog import InCatalog
from recdistill.serving._rules import Limits
from recdistill.students import StudentRecommender, build_student
from tests.unit.serving.shops import N_ITEMS, catalog_of, packaged, shop, trained, untrained

if TYPE_CHECKING:
    from pathlib import Path

    from recdistill.data import PreparedData

# Time on a busy machine is not what these tests are about.
CALM = ChallengeRules(limits=Limits(latency=50.0, coverage=0.0))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    return shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def good(data: PreparedData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packaged(trained(data), data, tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def poor(data: PreparedData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packaged(untrained(data), data, tmp_path_factory.mktemp("poor"))


def test_a_better_student_passes_and_a_worse_one_does_not(
    data: PreparedData, good: Path, poor: Path
) -> None:
    won = challenge(good, poor, data, CALM)
    assert won.passed
    assert won.checks[0].test.finding == "better"
    assert "on the same 300 users" in won.words()
    lost = challenge(poor, good, data, CALM)
    assert lost.failed[0].name == "all test users"
    assert lost.checks[0].test.finding == "worse"
    assert "**not passed**" in lost.table()


def test_the_same_student_is_not_worse_than_itself(data: PreparedData, good: Path) -> None:
    verdict = challenge(good, good, data, CALM)
    assert verdict.passed
    assert verdict.checks[0].test.delta == 0
    assert [c.finding for c in verdict.checks if c.name == "package"] == ["1.00 times"]


def test_a_loss_hidden_in_the_mean_is_seen_in_the_guarded_part(
    data: PreparedData, good: Path, poor: Path
) -> None:
    history = data.test.history
    bound = int(np.quantile(history.lengths, 0.2))
    short = history.lengths <= bound
    # Users of short histories want what the untrained student happens to recommend.
    wished = InCatalog(TopK.read(poor, n_threads=1), data.catalog).score(history)
    wished[history.keys()[0], history.items] = -torch.inf
    targets = np.where(short, wished.argmax(1).numpy(), data.test.targets).astype(np.int32)
    day = replace(data, test=replace(data.test, targets=targets))
    verdict = challenge(good, poor, day, replace(CALM, short_history=bound))
    guard = next(c for c in verdict.checks if c.name == f"histories of at most {bound}")
    assert verdict.checks[0].passed
    assert (guard.test.n_cases, guard.champion) == (int(short.sum()), 1.0)
    assert verdict.failed == [guard]
    assert "Not passed: histories of at most" in verdict.words()


def test_limits_hold_what_a_challenger_costs(data: PreparedData, good: Path) -> None:
    rules = replace(CALM, limits=Limits(size=0.5, latency=50.0, coverage=1.5))
    verdict = challenge(good, good, data, rules)
    assert [check.name for check in verdict.failed] == ["package", "coverage of top 10"]


def test_too_few_users_keep_the_champion_unless_that_is_allowed(
    data: PreparedData, poor: Path, tmp_path: Path
) -> None:
    twin = packaged(untrained(data, seed=3), data, tmp_path)
    some = np.arange(40)
    few = replace(
        data,
        test=replace(
            data.test,
            users=some,
            history=data.test.history.take(some),
            targets=data.test.targets[some],
        ),
    )
    main = challenge(twin, poor, few, CALM).checks[0]
    assert main.test.finding == "undecided"
    assert not main.passed
    assert "too few users to show" in main.finding
    allowed = replace(CALM, undecided="replace", margin=0.5)
    again = challenge(twin, poor, few, allowed).checks[0]
    assert again.passed is (again.test.delta >= -0.5 * again.test.value_b)


def test_an_item_that_the_champion_does_not_know_is_its_miss(
    data: PreparedData, good: Path, tmp_path: Path
) -> None:
    ids = [*data.catalog.items["raw_id"], "new1", "new2"]
    grown = catalog_of(ids)
    asked = InCatalog(TopK.read(good, n_threads=1), grown)
    assert asked.n_unknown == 2
    before = InCatalog(TopK.read(good, n_threads=1), data.catalog).score(data.test.history)
    scores = asked.score(data.test.history)
    assert torch.equal(scores[:, : N_ITEMS + 1], before)
    assert (scores[:, N_ITEMS + 1 :] < before[:, 1:].amin(1, keepdim=True)).all()

    grown.items.reset_index().to_csv(tmp_path / "catalog.csv", index=False)
    targets = data.test.targets.copy()
    targets[:60] = N_ITEMS + 1
    day = replace(data, catalog=grown, folder=tmp_path, test=replace(data.test, targets=targets))
    model = build_student(trained(data).config, grown.n_items, seed=0)
    newcomer = StudentRecommender(model, trained(data).config, grown.digest, "shop")
    verdict = challenge(packaged(newcomer, day, tmp_path), good, day, CALM)
    assert verdict.n_unknown == 2
    new = next(c for c in verdict.checks if c.name == "targets that are new items")
    assert (new.test.n_cases, new.champion) == (60, 0.0)
    assert "2 items of the catalog are new to the champion" in verdict.words()


def test_a_catalog_in_another_order_means_the_same_items(data: PreparedData, good: Path) -> None:
    shuffled = catalog_of(list(data.catalog.items["raw_id"])[::-1])

    def turned(items: np.ndarray) -> np.ndarray:
        return (N_ITEMS + 1 - items).astype(np.int32)

    history = Sequences(turned(data.test.history.items), data.test.history.offsets)
    cases = replace(data.test, history=history, targets=turned(data.test.targets))
    train = Sequences(turned(data.train.items), data.train.offsets)
    top_k = TopK.read(good, n_threads=1)
    same = evaluate(InCatalog(top_k, data.catalog), data.test, data.catalog, data.train)
    there = evaluate(InCatalog(top_k, shuffled), cases, shuffled, train)
    assert there.outcome("ndcg").tolist() == same.outcome("ndcg").tolist()


def test_a_history_of_unknown_items_alone_scores_every_known_item_alike(
    good: Path, data: PreparedData
) -> None:
    grown: Catalog = catalog_of([*data.catalog.items["raw_id"], "new1"])
    asked = InCatalog(TopK.read(good, n_threads=1), grown)
    scores = asked.score(Sequences.from_lists([[N_ITEMS + 1], [1, N_ITEMS + 1, 2]]))
    assert len(scores[0, 1 : N_ITEMS + 1].unique()) == 1
    known = asked.score(Sequences.from_lists([[1, 2]]))
    assert torch.allclose(scores[1], known[0])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"margin": 1.0}, "margin is 1.0; it is a share"),
        ({"guard_margin": -0.1}, "guard_margin is -0.1"),
        ({"undecided": "ask"}, "undecided is 'ask'; it must be one of keep, replace"),
    ],
)
def test_rules_that_mean_nothing_are_refused(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        ChallengeRules(**change)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"limits\.size is nan"):
        Limits(size=float("nan"))
