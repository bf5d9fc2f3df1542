"""Floors, a baseline and a tiny language model imagine together; a student learns from that."""

from __future__ import annotations

import mlflow
import pytest
from mlflow import MlflowClient

from tests.recipes.conftest import SMALL, TINY_STUDENT, Recipe, artifacts

FEW = ["--n_variants=2", "--length=3", "--top_k=5"]


@pytest.fixture(scope="module")
def models(recipe: Recipe, llama: str) -> dict[str, str]:
    """Run ids of a baseline, a floor, and a language model on the baseline."""
    baseline = recipe("train_baseline", *SMALL, *TINY_STUDENT).info.run_id
    floor = recipe("train_baseline", "--model=ease", *SMALL).info.run_id
    tiny = [f"--llm={llama}", "--max_epochs=1", "--head.dim=16", "--llm_layers=0"]
    teacher = recipe("train_teacher", f"--baseline_run={baseline}", *tiny, *SMALL).info.run_id
    return {"baseline": baseline, "floor": floor, "teacher": teacher}


@pytest.fixture(scope="module")
def imagined(recipe: Recipe, models: dict[str, str]) -> str:
    """The futures that a baseline and a floor imagine; their run id."""
    pair = f"--teacher_run={models['baseline']},{models['floor']}"
    return str(recipe("imagine", pair, *FEW, *SMALL).info.run_id)


def test_a_pool_is_weighed_tested_and_imagines(imagined: str) -> None:
    run = MlflowClient().get_run(imagined)
    assert artifacts(run, "futures") == {"futures.safetensors", "manifest.json"}
    manifest = mlflow.artifacts.load_dict(f"runs:/{imagined}/futures/manifest.json")
    assert [manifest[name] for name in ("n_variants", "n_users", "length", "k")] == [2, 60, 3, 5]
    weights = {k: float(v) for k, v in run.data.params.items() if k.startswith("teacher.weight.")}
    assert len(weights) == 2
    assert min(weights.values()) >= 0
    assert {"val/ndcg_at_10", "test/recall_at_10"} <= set(run.data.metrics)


def test_a_student_learns_from_futures_alone(
    recipe: Recipe, models: dict[str, str], imagined: str
) -> None:
    own = [f"--baseline_run={models['baseline']}", f"--imagined_run={imagined}", *SMALL]
    run = recipe("distill", "--teacher_run=none", "--dropout=0.1", "--label_smoothing=0", *own)
    assert run.info.run_name == "listwise1-imagined2-s0-distill"
    assert run.data.tags["imagined_run_id"] == imagined
    assert run.data.metrics["train/loss_listwise"] > 0
    assert {"p/ndcg_at_10_vs_baseline", "p/ndcg_at_10_vs_teacher"} <= set(run.data.metrics)
    without = recipe("distill", "--teacher_run=none", "--listwise_weight=0", *own)
    before = MlflowClient().get_run(models["baseline"]).data.metrics
    assert without.data.metrics["test/ndcg_at_10"] == before["test/ndcg_at_10"], "nothing on top"


@pytest.mark.parametrize("among", [["teacher"], ["teacher", "floor"]])
def test_a_language_model_judges_what_others_draw(
    recipe: Recipe, models: dict[str, str], among: list[str]
) -> None:
    names = ",".join(f"{models[name]}:0.5" for name in among)
    run = recipe("imagine", f"--teacher_run={names}", *FEW, *SMALL)
    assert artifacts(run, "futures") == {"futures.safetensors", "manifest.json"}
    assert run.data.params[
        "teacher.weight." + run.info.run_name.split("-and-")[0].split("-s0-im")[0]
    ]


def test_nothing_to_learn_from_is_one_sentence(
    recipe: Recipe, models: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        recipe("distill", f"--baseline_run={models['baseline']}", "--teacher_run=none", *SMALL)
    assert "leaves nothing to learn from" in capsys.readouterr().err
