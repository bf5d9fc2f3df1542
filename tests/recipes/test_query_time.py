"""A student that reads the time, from its training to who may stand beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mlflow import MlflowClient

from recdistill.evaluation import KNOWN_TIME, PROTOCOL

from .conftest import SMALL, TINY_STUDENT

if TYPE_CHECKING:
    from tests.recipes.conftest import Recipe

HSTU = ["--model=hstu", *SMALL, *TINY_STUDENT]


@pytest.fixture(scope="module")
def trained(recipe: Recipe) -> dict[str, str]:
    """Ids of three students that differ in what they know of the time."""
    words = {"none": [], "last": ["--student.query_time=last"]}
    words["known"] = ["--student.query_time=known"]
    return {name: recipe("train_baseline", *HSTU, *own).info.run_id for name, own in words.items()}


def test_a_run_says_what_its_model_was_told_and_evaluate_finds_the_same(
    recipe: Recipe, trained: dict[str, str]
) -> None:
    for query_time, run_id in trained.items():
        again = recipe("evaluate", f"--model_run={run_id}", *SMALL)
        first = MlflowClient().get_run(run_id)
        for run in (first, again):
            assert run.data.tags["query_time"] == query_time
            assert run.data.tags["protocol"] == (KNOWN_TIME if query_time == "known" else PROTOCOL)
        name = "test/ndcg_at_10"
        assert again.data.metrics[name] == pytest.approx(first.data.metrics[name])


def test_compare_crosses_last_and_none_and_refuses_known(
    recipe: Recipe, trained: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    runs = f"--runs={trained['none']},{trained['last']}"
    compared = recipe("compare", runs, "--n_resamples=100")
    assert compared.data.tags["protocol"] == PROTOCOL
    for other in ("none", "last"):
        runs = f"--runs={trained['known']},{trained[other]}"
        with pytest.raises(SystemExit):
            recipe("compare", runs)
        assert "one was told when each target happens" in capsys.readouterr().err


@pytest.mark.parametrize("query_time", ["last", "known"])
@pytest.mark.parametrize(
    ("stage", "setting"),
    [
        ("distill", "baseline_run"),
        ("train_teacher", "baseline_run"),
        ("export_teacher", "teacher_run"),
        ("make_transfer_set", "teacher_run"),
        ("update", "champion_run"),
        ("promote", "model_run"),
        ("score", "model_run"),
        ("sweep", "baseline_run"),
        ("audit_language", "baseline_run"),
    ],
)
def test_what_has_no_times_to_give_refuses_such_a_student(
    recipe: Recipe,
    trained: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    query_time: str,
    stage: str,
    setting: str,
) -> None:
    with pytest.raises(SystemExit):
        recipe(stage, f"--{setting}={trained[query_time]}", *SMALL)
    assert f"student.query_time={query_time} and cannot be" in capsys.readouterr().err
