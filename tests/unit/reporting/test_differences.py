"""What a stage says beside its model: methods where the noise is known, else these models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recdistill.reporting import log_differences

if TYPE_CHECKING:
    from .small_runs import Store

RECIPES = {"baseline": {"recipe.key": "b" * 16}, "student": {"recipe.key": "s" * 16}}


class RunOfTest:
    """What ``log_differences`` asks of a run: a store to read and a place to log to."""

    def __init__(self, store: Store) -> None:
        self.client = store.client
        self.metrics: dict[str, float] = {}
        self.tags: dict[str, str] = {}

    def log_metrics(self, metrics: dict[str, float]) -> None:
        self.metrics |= metrics

    def set_tags(self, tags: dict[str, str]) -> None:
        self.tags |= tags


def write(store: Store, which: str, seed: int, strength: float) -> str:
    return store.write(name=which, seed=seed, strength=strength, tags=RECIPES[which])


def test_two_single_trainings_are_two_trained_models_and_get_no_p_of_methods(store):
    run = RunOfTest(store)
    baseline, student = write(store, "baseline", 0, 2.0), write(store, "student", 0, 3.0)
    said = log_differences(run, [student], "baseline", [[baseline]])
    assert run.metrics["delta/ndcg_at_10_vs_baseline"] > 0
    assert run.metrics["low/ndcg_at_10_vs_baseline"] > 0
    assert run.metrics["p_users/ndcg_at_10_vs_baseline"] < 0.05
    assert run.tags["ndcg_vs_baseline"].startswith("+0.")
    assert " p " not in run.tags["ndcg_vs_baseline"]
    assert not any(name.startswith("p/") for name in run.metrics)
    assert "these two trained models; a verdict on the methods takes" in said[0]


def test_a_store_that_knows_both_recipes_noise_speaks_of_methods(store):
    run = RunOfTest(store)
    for seed in (1, 2, 3):
        write(store, "baseline", seed, 2.0)
        write(store, "student", seed, 3.0)
    baseline, student = write(store, "baseline", 0, 2.0), write(store, "student", 0, 3.0)
    said = log_differences(run, [student], "baseline", [[baseline]])
    assert run.metrics["p/ndcg_at_10_vs_baseline"] < 0.05
    assert "] p<0.001" in run.tags["ndcg_vs_baseline"]
    assert "over users and trainings" in said[0]


def test_trainings_of_both_sides_are_counted_together(store):
    run = RunOfTest(store)
    sides = [
        [write(store, which, seed, strength) for seed in range(3)]
        for which, strength in (("baseline", 2.0), ("student", 3.0))
    ]
    log_differences(run, sides[1], "baseline", [sides[0], sides[0]])
    assert run.metrics["p/recall_at_10_vs_baseline"] < 0.05
    assert run.metrics["delta/recall_at_10_vs_baseline"] == pytest.approx(
        run.metrics["delta/recall_at_10_vs_baseline_2"]
    )
