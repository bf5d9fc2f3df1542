"""A floor's table taught to a student, and a diagnosis of what came out."""

from __future__ import annotations

import json

import pytest
from mlflow import MlflowClient

from tests.recipes.conftest import SMALL, TINY_STUDENT, Recipe, artifacts

SMOOTHED = "--loss_options.label_smoothing=0.1"  # something of the baseline's own to be inherited


@pytest.fixture(scope="module")
def baseline(recipe: Recipe) -> str:
    """A finished student to distil into; its run id."""
    return str(recipe("train_baseline", *SMALL, *TINY_STUDENT, SMOOTHED).info.run_id)


@pytest.fixture(scope="module")
def table(recipe: Recipe) -> str:
    """The export of a floor, fitted without each user; its run id."""
    floor = recipe("train_baseline", "--model=ease", *SMALL).info.run_id
    run = recipe("export_teacher", f"--teacher_run={floor}", "--folds=2", "--top_k=20", *SMALL)
    assert {"manifest.json", "shard-00000.ids.npy"} <= artifacts(run, "table")
    return str(run.info.run_id)


@pytest.fixture(scope="module")
def student(recipe: Recipe, baseline: str, table: str) -> str:
    """A distilled student; its run id."""
    runs = (f"--baseline_run={baseline}", f"--teacher_run={table}")
    return str(recipe("distill", *runs, "--ranking_weight=0.3", *SMALL).info.run_id)


def test_all_weights_at_zero_are_the_baseline_to_the_bit(
    recipe: Recipe, baseline: str, table: str
) -> None:
    runs = (f"--baseline_run={baseline}", f"--teacher_run={table}")
    zero = recipe("distill", *runs, "--listwise_weight=0", *SMALL)
    assert zero.info.run_name == "zero-s0-distill"
    before = MlflowClient().get_run(baseline).data.metrics
    for name in ("train/loss", "val/ndcg_at_10", "test/ndcg_at_10", "test/unmasked/recall_at_10"):
        assert zero.data.metrics[name] == before[name]
    assert zero.data.metrics["delta/recall_at_10_vs_baseline"] == 0


def test_a_distilled_student_says_what_taught_it_and_whether_it_helped(
    student: str, baseline: str, table: str
) -> None:
    run = MlflowClient().get_run(student)
    assert run.data.tags["baseline_run_id"] == baseline
    assert run.data.tags["table_run_id"] == table
    measured = set(run.data.metrics)
    assert {"train/loss_listwise", "train/loss_ranking", "teacher/coverage"} <= measured
    for other in ("baseline", "teacher"):
        assert {f"delta/ndcg_at_10_vs_{other}", f"p_users/recall_at_10_vs_{other}"} <= measured
    assert {"config.json", "recipe.json", "weights.safetensors"} == artifacts(run, "model")


def test_a_table_of_other_users_is_refused(
    recipe: Recipe, table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe("train_baseline", "--max_users=50", *TINY_STUDENT, "--max_epochs=1")
    with pytest.raises(SystemExit):
        recipe("distill", f"--teacher_run={table}", "--max_users=50")
    assert "they are not on the same data" in capsys.readouterr().err


def test_diagnose_climbs_the_ladder_and_gives_a_verdict(
    recipe: Recipe, student: str, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ("--ladder=zero", "--max_epochs=1")  # one rung: each is a process of its own
    run = recipe("diagnose", f"--student_run={student}", *few, *SMALL)
    assert {"report.html", "diagnosis.json"} <= artifacts(run)
    rungs = {n for n in run.data.metrics if n.startswith("ladder/")}
    assert rungs == {"ladder/ndcg_at_10_zero"}
    printed = capsys.readouterr().out
    assert "**Verdict**" in printed
    path = MlflowClient().download_artifacts(run.info.run_id, "diagnosis.json")
    with open(path, encoding="utf-8") as stream:  # noqa: PTH123 - MLflow hands out a string
        assert json.load(stream)["names"]["student"].endswith("-distill")
