"""prepare_data, train_baseline, evaluate and compare on a small slice of real data."""

from __future__ import annotations

import pytest
from mlflow import MlflowClient

from recdistill.floors import COUNTING_FLOORS
from recdistill.runs import children_of
from tests.recipes.conftest import SMALL, TINY_STUDENT, Recipe, artifacts


@pytest.fixture(scope="module")
def counter(recipe: Recipe) -> str:
    """A finished floor; its run id."""
    return str(recipe("train_baseline", "--model=counter", *SMALL).info.run_id)


@pytest.fixture(scope="module")
def sasrec(recipe: Recipe) -> str:
    """A finished student; its run id."""
    return str(recipe("train_baseline", *SMALL, *TINY_STUDENT).info.run_id)


def test_prepare_data_counts_what_it_kept(recipe: Recipe) -> None:
    run = recipe("prepare_data", "--max_users=60", "--seed=1")
    assert run.data.metrics["data/n_users"] == 60
    assert run.data.metrics["data/n_items"] == 1682
    assert {"manifest.json", "catalog.csv", "leakage.json", "report.md"} <= artifacts(run, "data")


@pytest.mark.parametrize("kind", ["popularity", "markov", "ease", "knn"])
def test_every_floor_trains_and_is_tested(recipe: Recipe, kind: str) -> None:
    run = recipe("train_baseline", f"--model={kind}", *SMALL)
    assert run.info.run_name == f"{kind}-s0-baseline"
    assert run.data.metrics["test/n_users"] == 60
    assert 0 <= run.data.metrics["test/recall_at_10"] <= 1
    assert {"config.json", "weights.safetensors"} == artifacts(run, "model")


def test_floors_train_in_one_go_with_a_run_each(recipe: Recipe) -> None:
    together = recipe("train_baseline", "--model=floors", *SMALL, "--seed=7", status="FINISHED")
    client = MlflowClient()
    parent = client.get_run(together.data.tags["mlflow.parentRunId"])
    assert parent.info.run_name == "floors-s7-baseline"
    below = children_of(client, parent.info.run_id)
    assert [run.name for run in below] == [f"{kind}-s7-baseline" for kind in COUNTING_FLOORS]
    for run in below:
        assert len(run.metrics) <= 60
        assert len(run.params) <= 30
    again = recipe("train_baseline", "--model=counter,ease", *SMALL, "--seed=7")
    assert again.data.tags["cache.hit_of"] == below[2].id, "a floor alone has the same key"


@pytest.mark.parametrize("loss", ["sampled_softmax", "mixed_softmax", "gbce", "bce"])
def test_every_loss_trains(recipe: Recipe, loss: str) -> None:
    few = ["--n_negatives=8", "--max_epochs=1"]
    run = recipe("train_baseline", f"--loss={loss}", *SMALL, *TINY_STUDENT, *few)
    assert run.data.metrics["train/loss"] > 0
    assert run.data.metrics["fit/n_epochs"] == 1


def test_the_second_student_trains_too(recipe: Recipe) -> None:
    run = recipe("train_baseline", "--model=gru4rec", *SMALL, *TINY_STUDENT)
    assert run.info.run_name == "gru4rec-s0-baseline"
    assert "test/ndcg_at_10" in run.data.metrics


def test_a_baseline_run_carries_all_that_a_comparison_needs(sasrec: str) -> None:
    run = MlflowClient().get_run(sasrec)
    assert {
        "train/loss",
        "val/ndcg_at_10",
        "test/recall_at_10",
        "test/unmasked/recall_at_10",
    } <= set(run.data.metrics)
    assert {"time/fit_seconds", "memory/fit_peak_rss_mb"} <= set(run.data.metrics)
    assert {"dataset", "split", "protocol", "catalog.digest", "seed", "cache.key"} <= set(
        run.data.tags
    )
    assert {"recall@10.json", "recall@10.png", "per_user.parquet"} <= artifacts(run, "evaluation")
    assert [d.dataset.name for d in run.inputs.dataset_inputs] == [
        "ml-100k-train", "ml-100k-val", "ml-100k-test",
    ]  # fmt: skip


def test_the_same_training_again_is_reused(recipe: Recipe, sasrec: str) -> None:
    again = recipe("train_baseline", *SMALL, *TINY_STUDENT)
    assert again.data.tags["cache.hit_of"] == sasrec
    before = MlflowClient().get_run(sasrec).data.metrics
    assert again.data.metrics["test/ndcg_at_10"] == before["test/ndcg_at_10"]


def test_evaluating_again_gives_the_very_same_figures(recipe: Recipe, sasrec: str) -> None:
    before = MlflowClient().get_run(sasrec).data.metrics
    again = recipe("evaluate", f"--model_run={sasrec}", *SMALL).data.metrics
    for name in ("test/recall_at_10", "test/ndcg_at_10", "val/ndcg_at_10", "test/coverage_at_10"):
        assert again[name] == pytest.approx(before[name], abs=1e-9)


def test_a_model_of_other_data_is_refused_in_one_sentence(
    recipe: Recipe, sasrec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        recipe("evaluate", f"--model_run={sasrec}", "--max_users=50")
    assert left.value.code == 2
    assert "they are not on the same data" in capsys.readouterr().err


def test_compare_says_which_is_better_and_whether_it_can_tell(
    recipe: Recipe, sasrec: str, counter: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = recipe("compare", f"--runs={sasrec},{counter}")
    assert "report.html" in artifacts(run)
    printed = capsys.readouterr().out
    assert "counter" in printed
    assert "sasrec" in printed
    assert any(name.startswith("p/") for name in run.data.metrics)
