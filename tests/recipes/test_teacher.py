"""A tiny random Llama on a tiny baseline: planned, trained, exported, distilled from."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient

from recdistill.data import DataConfig, prepare
from tests.recipes.conftest import SMALL, TINY_STUDENT, Recipe, artifacts


@pytest.fixture(scope="module")
def baseline(recipe: Recipe) -> str:
    """A finished student for the teacher to stand on; its run id."""
    return str(recipe("train_baseline", *SMALL, *TINY_STUDENT).info.run_id)


@pytest.fixture(scope="module")
def small_teacher(baseline: str, llama: str) -> list[str]:
    """Flags of a teacher that trains in seconds."""
    own = ["--max_epochs=1", "--head.dim=16", "--llm_layers=0"]
    dry = ["--head.dropout=0", "--lora.dropout=0"]  # what is drawn depends on the pieces
    # Steps of a size whose memory is worth planning, in numbers that every machine has.
    steps = ["--batch=2048", "--precision=32-true"]
    return [f"--baseline_run={baseline}", f"--llm={llama}", *own, *dry, *steps, *SMALL]


@pytest.fixture(scope="module")
def teacher(recipe: Recipe, small_teacher: list[str]) -> str:
    """A finished teacher; its run id."""
    return str(recipe("train_teacher", *small_teacher).info.run_id)


def test_a_teacher_run_says_what_it_planned_and_what_it_took(teacher: str, baseline: str) -> None:
    run = MlflowClient().get_run(teacher)
    metrics = run.data.metrics
    assert run.data.tags["baseline_run_id"] == baseline
    assert {"memory/planned_peak_mb", "memory/planned/attention_mb"} <= set(metrics)
    assert abs(metrics["memory/plan_error"]) < 0.2  # a step of a few MB; real ones are nearer
    assert metrics["memory/planned_pieces"] == metrics["fit/n_pieces"] == 1
    assert {"p_users/ndcg_at_10_vs_baseline", "test/recall_at_10", "val/ndcg_at_10"} <= set(metrics)
    assert {"parameters.csv", "plan.md"} == artifacts(run, "memory")
    saved = {"adapter", "recommender", "config.json", "recipe.json", "weights.safetensors"}
    assert artifacts(run, "model") == saved


def test_a_small_memory_cuts_the_step_and_changes_nothing_else(
    recipe: Recipe, small_teacher: list[str], teacher: str
) -> None:
    before = MlflowClient().get_run(teacher).data.metrics
    limit = 0.5 * before["memory/planned_peak_mb"]  # clear of the plan's error: no probe
    tight = recipe("train_teacher", *small_teacher, f"--memory.limit_mb={limit}").data.metrics
    assert tight["fit/n_pieces"] > 1
    assert tight["memory/planned_peak_mb"] < limit
    # The plan leaves out the baseline and its states: a few MB beside any language model.
    assert tight["memory/measured_peak_mb"] < limit + 3
    for name in ("val/ndcg_at_10", "test/ndcg_at_10"):
        assert tight[name] == pytest.approx(before[name], abs=0.01)


def test_what_cannot_fit_is_refused_before_anything_is_loaded(
    recipe: Recipe, small_teacher: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        recipe("train_teacher", *small_teacher, "--memory.limit_mb=0.1")
    assert left.value.code == 2
    said = capsys.readouterr()
    assert "| cause | MB | share |" in said.out
    assert "GiB are free" in said.err
    assert "load_seconds" not in said.out


def test_the_control_without_a_language_model_trains_too(
    recipe: Recipe, small_teacher: list[str]
) -> None:
    head = recipe("train_teacher", *small_teacher, "--adapter=head")
    assert head.info.run_name == "head-s0-teacher"
    assert head.data.tags["llm.digest"] == "none"


def test_a_teachers_table_teaches_a_student(recipe: Recipe, teacher: str, baseline: str) -> None:
    table = recipe("export_teacher", f"--teacher_run={teacher}", "--top_k=20", *SMALL)
    positions = prepare(DataConfig(max_users=60, seed=1)).train
    assert table.data.metrics["table/n_rows"] == (positions.lengths - 1).sum()
    assert "item_embeddings.npy" in artifacts(table, "table")
    runs = (f"--baseline_run={baseline}", f"--teacher_run={table.info.run_id}")
    student = recipe("distill", *runs, "--fusion_weight=0.2", *SMALL)
    assert student.data.metrics["teacher/coverage"] == 1
    assert Path(MlflowClient().download_artifacts(student.info.run_id, "model")).is_dir()


def test_out_of_fold_positions_are_scored_by_teachers_that_never_saw_the_user(
    recipe: Recipe, teacher: str, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ("--folds=2", "--top_k=20", "--select=newest:3")
    run = recipe("export_teacher", f"--teacher_run={teacher}", *few, *SMALL)
    assert run.info.run_name.endswith("-f2-table")
    assert run.data.metrics["table/n_rows"] == 60 * 3
    assert "fold 2 of 2, 30 users" in capsys.readouterr().out
    # The same positions by the teacher that was trained on them: other scores.
    seen = recipe("export_teacher", f"--teacher_run={teacher}", *few[1:], *SMALL)
    assert seen.data.metrics["table/mean_reliability"] != run.data.metrics["table/mean_reliability"]


def test_its_adapted_language_model_makes_item_vectors(recipe: Recipe, teacher: str) -> None:
    run = recipe("embed_items", f"--teacher_run={teacher}", "--dim=8", *SMALL)
    assert run.data.tags["teacher_run_id"] == teacher
    assert run.data.metrics["texts/n_texts"] == run.data.metrics["texts/n_items"]
    assert {"config.json", "vectors.npy"} <= artifacts(run, "vectors")
