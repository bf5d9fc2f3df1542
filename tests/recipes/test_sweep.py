"""A sweep of eight trials by two processes, its continuation, and the repair of its mirror."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mlflow import MlflowClient

from recdistill.sweeps import open_storage, study_names
from tests.recipes.conftest import SMALL, TINY_STUDENT, Recipe, artifacts

if TYPE_CHECKING:
    from mlflow.entities import Run


@pytest.fixture(scope="module")
def inputs(recipe: Recipe) -> list[str]:
    """Flags of a sweep on a finished baseline and a finished teacher table."""
    baseline = recipe("train_baseline", *SMALL, *TINY_STUDENT).info.run_id
    floor = recipe("train_baseline", "--model=ease", *SMALL).info.run_id
    table = recipe("export_teacher", f"--teacher_run={floor}", "--folds=2", "--top_k=20", *SMALL)
    runs = [f"--baseline_run={baseline}", f"--teacher_run={table.info.run_id}"]
    return [*runs, "--space=quick", "--workers=2", "--n_startup=2", *SMALL]


@pytest.fixture(scope="module")
def swept(recipe: Recipe, inputs: list[str]) -> Run:
    """A finished sweep."""
    return recipe("sweep", "--n_trials=8", "--n_seeds=1", *inputs)


def trials(study: str) -> list[Run]:
    return list(
        MlflowClient().search_runs(["0"], f"tags.study = '{study}' and tags.stage = 'trial'")
    )


def test_a_sweep_shows_its_trials_its_best_and_its_test(swept: Run) -> None:
    children = trials(swept.data.tags["study"])
    assert len(children) == 8
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {swept.info.run_id}
    assert {run.data.tags["state"] for run in children} <= {"complete", "pruned"}
    assert all("delta/val_ndcg_at_10_vs_baseline" in run.data.metrics for run in children)
    assert not any(name.startswith("test/") for run in children for name in run.data.metrics)
    assert {"sweep.html", "trials.csv", "trials.json", "plots", "best.yaml", "study"} <= artifacts(
        swept
    )
    assert {"history.png", "slices.png"} <= artifacts(swept, "plots")
    assert {
        "test/ndcg_at_10",
        "delta/ndcg_at_10_vs_baseline",
        "low/recall_at_10_vs_baseline",
    } <= set(swept.data.metrics)
    assert "On test data" in swept.data.tags["mlflow.note.content"]


def test_the_control_is_the_baseline_to_the_bit(swept: Run) -> None:
    first = next(r for r in trials(swept.data.tags["study"]) if r.data.tags["trial.number"] == "0")
    assert first.info.run_name == "000 no distillation"
    assert first.data.metrics["delta/val_ndcg_at_10_vs_baseline"] == 0


def test_the_same_command_continues_the_study(
    recipe: Recipe, swept: Run, inputs: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    again = recipe("sweep", "--n_trials=9", "--n_seeds=0", *inputs)
    assert "8 of 9 trials finished, 1 to go" in capfd.readouterr().out
    assert again.data.tags["cache.hit_of"] == swept.info.run_id
    assert len(trials(swept.data.tags["study"])) == 9


def test_reconcile_repairs_what_was_broken_and_then_finds_nothing(
    recipe: Recipe, swept: Run
) -> None:
    client = MlflowClient()
    children = trials(swept.data.tags["study"])
    client.delete_run(children[0].info.run_id)
    client.set_tag(children[1].info.run_id, "state", "running")
    first = recipe("reconcile").data.metrics
    assert (first["reconcile/n_missing"], first["reconcile/n_disagreeing"]) == (1, 1)
    second = recipe("reconcile").data.metrics
    assert not any(second.values())


def test_a_study_about_something_else_is_refused(
    recipe: Recipe, inputs: list[str], swept: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    name = study_names(open_storage("sqlite:///studies.db"))[0]
    with pytest.raises(SystemExit):
        recipe("sweep", f"--study={name}", "--objective=recall", *inputs)
    assert f"Study '{name}' is about other objectives" in capsys.readouterr().err
