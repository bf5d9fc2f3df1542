"""What is said beforehand: every step once, in its order, and as often as it is done."""

from __future__ import annotations

import pytest

from projects.main import Config
from recdistill.config import parse
from recdistill.experiment import ExperimentSettings, plan


@pytest.mark.parametrize("dataset", ["ml-100k", "amazon-beauty"])
def test_a_published_row_is_planned_with_its_price(dataset: str) -> None:
    planned = plan(parse(Config, "main", [f"--dataset={dataset}", "--preset=full"]))
    assert planned.costs is not None
    unknown = {step.kind for step in planned.steps} - set(planned.costs.seconds)
    assert not unknown, f"measure them: python -m benchmarks.full_price {dataset}"


def test_steps_stand_in_their_order_and_are_counted() -> None:
    asked = ExperimentSettings(
        model="sasrec-text",
        beside=["sasrec", "gru4rec"],
        n_seeds=3,
        teaching=["sasrec", "tfidf"],
        floors=["counter"],
        pools="each",
        controls=["no_lists"],
        with_teacher=False,
    )
    planned = plan(asked)
    assert [(step.kind, step.n) for step in planned.steps] == [
        ("data", 1), ("texts", 1), ("floors", 1), ("baseline", 3), ("beside", 6), ("network", 3),
        ("transfer", 3), ("student", 3), ("control", 3), ("comparison", 1),
    ]  # fmt: skip
    said = planned.text("main")
    assert "count the floors counter, tfidf" in said
    assert "ask sasrec, tfidf together" in said
    assert "tfidf" in next(line for line in said.splitlines() if "texts" in line)
