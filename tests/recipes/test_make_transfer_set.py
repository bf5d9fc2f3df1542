"""A floor, a baseline and a tiny language model label views; a student learns from that."""

from __future__ import annotations

import mlflow
import pytest
from mlflow import MlflowClient

from tests.recipes.conftest import SMALL, TINY_STUDENT, Recipe, artifacts

FEW = ["--n_views=3", "--top_k=5", "--folds=2"]


@pytest.fixture(scope="module")
def models(recipe: Recipe, llama: str) -> dict[str, str]:
    """Run ids of a baseline, a floor, and a language model on the baseline."""
    baseline = recipe("train_baseline", *SMALL, *TINY_STUDENT).info.run_id
    floor = recipe("train_baseline", "--model=ease", *SMALL).info.run_id
    tiny = [f"--llm={llama}", "--max_epochs=1", "--head.dim=16", "--llm_layers=0"]
    teacher = recipe("train_teacher", f"--baseline_run={baseline}", *tiny, *SMALL).info.run_id
    return {"baseline": baseline, "floor": floor, "teacher": teacher}


@pytest.fixture(scope="module")
def made(recipe: Recipe, models: dict[str, str]) -> str:
    """The transfer set of a baseline and a floor; its run id."""
    pair = f"--teacher_run={models['baseline']},{models['floor']}"
    return str(recipe("make_transfer_set", pair, *FEW, *SMALL).info.run_id)


def test_a_pool_is_weighed_and_tested_and_labels_views(made: str) -> None:
    run = MlflowClient().get_run(made)
    assert artifacts(run, "transfer_set") == {"transfer_set.safetensors", "manifest.json"}
    manifest = mlflow.artifacts.load_dict(f"runs:/{made}/transfer_set/manifest.json")
    assert [manifest[name] for name in ("n_views", "k")] == [3 * 60, 5]
    weights = {k: float(v) for k, v in run.data.params.items() if k.startswith("teacher.weight.")}
    assert len(weights) == 2
    assert min(weights.values()) >= 0
    assert {"val/ndcg_at_10", "test/recall_at_10"} <= set(run.data.metrics)
    worth = mlflow.artifacts.load_dict(f"runs:/{made}/pool.json")
    for member in worth["members"]:
        logged = run.data.metrics[f"teacher/adds/{member['name']}"]
        assert logged == pytest.approx(member["adds"])
    assert "What each teacher adds" in run.data.tags["mlflow.note.content"]


def test_a_student_trains_on_the_views(recipe: Recipe, models: dict[str, str], made: str) -> None:
    own = [f"--baseline_run={models['baseline']}", f"--transfer_run={made}", *SMALL]
    run = recipe("distill", *own)
    assert run.info.run_name == "listwise1-transfer-s0-distill"
    assert run.data.tags["transfer_run_id"] == made
    assert run.data.metrics["train/loss_listwise"] > 0
    assert {"p_users/ndcg_at_10_vs_baseline", "p_users/ndcg_at_10_vs_teacher"} <= set(
        run.data.metrics
    )
    said = {k: v for k, v in run.data.params.items() if k.startswith("resolved.")}
    assert float(said["resolved.dropout"]) == float(said["resolved.label_smoothing"]) == 0
    assert float(said["resolved.loss_weight"]) == 0.3
    before = MlflowClient().get_run(models["baseline"]).data
    assert 1 <= int(said["resolved.max_epochs"]) <= 2 * int(before.params["config.max_epochs"])
    without = recipe("distill", "--listwise_weight=0", *own)
    assert without.data.metrics["test/ndcg_at_10"] == before.metrics["test/ndcg_at_10"], "nothing"


def test_the_control_trains_on_the_views_and_nobodys_lists(
    recipe: Recipe, models: dict[str, str], made: str
) -> None:
    own = [f"--baseline_run={models['baseline']}", f"--transfer_run={made}", *SMALL]
    run = recipe("distill", *own, "--control=no_lists")
    assert run.info.run_name == "no_lists-s0-distill"
    assert "train/loss_listwise" not in run.data.metrics
    # No list, no reason to regularise less than the baseline, or to weigh its loss lower.
    before = MlflowClient().get_run(models["baseline"]).data
    assert run.data.params["resolved.dropout"] == before.params["config.student.dropout"]
    assert run.data.params["resolved.loss_weight"] == "1.0"
    taught = recipe("distill", *own, "--use_cache=false").data
    assert run.data.params["resolved.max_epochs"] == taught.params["resolved.max_epochs"]
    assert run.data.metrics["test/ndcg_at_10"] != before.metrics["test/ndcg_at_10"]


def test_diagnose_looks_into_the_transfer_set_and_climbs_on_it(
    recipe: Recipe, models: dict[str, str], made: str
) -> None:
    own = [f"--baseline_run={models['baseline']}", f"--transfer_run={made}", *SMALL]
    student = recipe("distill", *own).info.run_id
    few = ["--ladder=listwise", "--max_epochs=1", "--top_k=5"]
    run = recipe("diagnose", f"--student_run={student}", *few, *SMALL)
    assert run.data.metrics["table/coverage"] == 1
    assert 0 < run.data.metrics["table/hit_rate"] < 1
    children = MlflowClient().search_runs(["0"], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'")
    assert [c.data.tags["transfer_run_id"] for c in children] == [made]


def test_a_sweep_searches_over_it_beside_the_untaught_baseline(
    recipe: Recipe, models: dict[str, str], made: str
) -> None:
    own = [f"--baseline_run={models['baseline']}", f"--transfer_run={made}", *SMALL]
    swept = recipe("sweep", *own, "--n_trials=2", "--workers=1", "--n_seeds=1")
    trials = MlflowClient().search_runs(["0"], "tags.stage = 'trial'", order_by=["start_time"])
    assert [t.info.run_name for t in trials] == ["000 no distillation", "001 as in conf"]
    gained = [t.data.metrics["delta/val_ndcg_at_10_vs_baseline"] for t in trials]
    assert gained[0] == 0, "without a weight a trial is the baseline"
    assert gained[1] != 0
    assert "delta/ndcg_at_10_vs_baseline" in swept.data.metrics


def test_teachers_may_have_one_name_and_any_characters_in_it(
    recipe: Recipe, models: dict[str, str]
) -> None:
    names = {}
    for kind in ("baseline", "floor"):
        names[kind] = MlflowClient().get_run(models[kind]).info.run_name
        MlflowClient().set_tag(models[kind], "mlflow.runName", "best (so far), +1 %")
    named = f"--teacher_run={models['baseline']},{models['floor']}"
    run = recipe("make_transfer_set", named, *FEW, *SMALL, "--seed=7", "--weigh_by=ndcg")
    for kind, name in names.items():
        MlflowClient().set_tag(models[kind], "mlflow.runName", name)
    weights = [k for k in run.data.params if k.startswith("teacher.weight.best _so far__ _1 _")]
    assert len(weights) == 2


def test_other_weights_make_another_set(recipe: Recipe, models: dict[str, str]) -> None:
    said = ["0.9,0.1", "0.1,0.9", "0.9,0.1"]
    runs = []
    for first, second in (weights.split(",") for weights in said):
        named = f"--teacher_run={models['baseline']}:{first},{models['floor']}:{second}"
        runs.append(recipe("make_transfer_set", named, *FEW, *SMALL))
    one, other, again = (run.data.tags for run in runs)
    assert other["recipe.key"] != one["recipe.key"]
    assert "cache.hit_of" not in other
    assert again["cache.hit_of"] == runs[0].info.run_id


def test_a_language_model_is_asked_as_well(recipe: Recipe, models: dict[str, str]) -> None:
    named = f"--teacher_run={models['teacher']}:0.5,{models['floor']}:0.5"
    run = recipe("make_transfer_set", named, *FEW, *SMALL)
    assert artifacts(run, "transfer_set") == {"transfer_set.safetensors", "manifest.json"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--teacher_run=none"], "leaves nothing to learn from"),
        (["--teacher_run=ease-table", "--transfer_run={made}"], "are two teachers"),
        (["--selection=random", "--transfer_run={made}"], "need a teacher's table"),
        (["--control=no_lists"], "name a transfer_run"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    recipe: Recipe, made: str, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    with pytest.raises(SystemExit):
        recipe("distill", *(word.format(made=made) for word in words), *SMALL)
    assert said in capsys.readouterr().err
