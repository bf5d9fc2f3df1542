"""A shop's nights: data extended, a champion that goes on, trained anew, and the clock chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.artifacts import load_dict

from recdistill.runs import RunReference, find_run
from tests.recipes.conftest import TINY_STUDENT, Recipe, artifacts
from tests.unit.updating.conftest import write_shop

if TYPE_CHECKING:
    from pathlib import Path

ROLLING = ["--dataset=steps", "--split=rolling"]


@pytest.fixture(scope="module")
def shop(workshop: Path) -> str:
    """The log of a small shop; its path."""
    return str(write_shop(workshop / "steps.csv"))


@pytest.fixture(scope="module")
def nights(recipe: Recipe, shop: str) -> list[str]:
    """Two prepared folders, a week apart; their names."""
    words = [*ROLLING, f"--data_path={shop}"]
    first = recipe("prepare_data", *words, "--until=1970-01-22")
    second = recipe("prepare_data", *words, "--until=1970-01-29", "--extends=latest")
    assert second.data.metrics["data/n_new_items"] == 2
    assert second.data.tags["catalog.parent"] == first.data.tags["catalog.digest"]
    assert second.data.tags["data.parent"] == first.data.tags["data.folder"]
    return [run.data.tags["data.folder"] for run in (first, second)]


@pytest.fixture(scope="module")
def champion(recipe: Recipe, nights: list[str]) -> str:
    """A student of the first night; its run's id."""
    run = recipe("train_baseline", f"--prepared={nights[0]}", "--dataset=steps", *TINY_STUDENT)
    return str(run.info.run_id)


def test_a_champion_goes_on_with_the_newest_data(
    recipe: Recipe, champion: str, nights: list[str]
) -> None:
    run = recipe("update", f"--champion_run={champion}")
    assert run.data.tags["data.folder"] == nights[1]
    assert run.data.tags["champion_run_id"] == champion
    metrics = run.data.metrics
    assert 0 < metrics["update/share_of_full_targets"] < 2
    assert metrics["champion/test/ndcg_at_10"] >= 0
    assert metrics["cpu/fit_seconds"] > 0
    assert {"config.json", "recipe.json", "weights.safetensors"} <= artifacts(run, "model")
    again = recipe("update", f"--champion_run={champion}")
    assert again.data.tags["cache.hit_of"] == run.info.run_id
    assert recipe("evaluate", f"--model_run={run.info.run_id}", f"--prepared={nights[1]}")


def test_a_champion_is_trained_anew(recipe: Recipe, champion: str) -> None:
    run = recipe("update", f"--champion_run={champion}", "--full=true")
    assert run.info.run_name.endswith("s0-anew")
    assert "update/share_of_full_targets" not in run.data.metrics
    assert run.data.metrics["test/n_users"] > 0


def test_a_floor_is_counted_anew(recipe: Recipe, nights: list[str]) -> None:
    words = ["--model=counter", "--dataset=steps"]
    before = recipe("train_baseline", f"--prepared={nights[0]}", *words)
    run = recipe("update", f"--champion_run={before.info.run_id}")
    counted = recipe("train_baseline", f"--prepared={nights[1]}", *words)
    for name in ("test/ndcg_at_10", "val/ndcg_at_10"):
        assert run.data.metrics[name] == counted.data.metrics[name]


def test_a_champion_of_other_data_is_refused(recipe: Recipe, champion: str, shop: str) -> None:
    words = ["--dataset=stranger", "--split=rolling", "--until=1970-01-27"]
    recipe("prepare_data", *words, f"--data_path={shop}")
    with pytest.raises(SystemExit):
        recipe("update", f"--champion_run={champion}")
    failed = MlflowClient().search_runs(["0"], "tags.stage = 'update'", max_results=1)[0]
    assert "did not grow from what" in failed.data.tags["error"]


def test_other_words_of_the_items_are_other_data(
    recipe: Recipe, champion: str, nights: list[str], shop: str, tmp_path: Path
) -> None:
    items = pd.DataFrame({"item": sorted(pd.read_csv(shop)["item"].unique())})
    items.assign(title="A step " + items["item"]).to_csv(tmp_path / "items.csv", index=False)
    files = [f"--data_path={shop}", f"--reading.items_file={tmp_path / 'items.csv'}"]
    words = ["--dataset=worded", "--split=rolling", "--until=1970-01-22"]
    worded = recipe("prepare_data", *words, *files).data.tags["data.folder"]
    asked = [f"--champion_run={champion}", "--full=true"]
    one, other = (
        recipe("update", *asked, "--dataset=steps", f"--prepared={folder}").data.tags
        for folder in (nights[0], worded)
    )
    assert one["split.digest"] == other["split.digest"]
    assert "cache.hit_of" not in other


def test_a_backtest_runs_the_last_windows_as_they_would_have_run(
    recipe: Recipe, champion: str, shop: str
) -> None:
    words = [
        f"--model_run={champion}", "--dataset=steps", f"--data_path={shop}", "--windows=2",
        "--rolling.days=5", "--epochs=1",
    ]  # fmt: skip
    run = recipe("backtest", *words)
    metrics = run.data.metrics
    assert {"backtest/never/ndcg_at_10", "p/ndcg_at_10_full_vs_never"} <= set(metrics)
    assert metrics["backtest/never/cpu_seconds"] == 0
    assert metrics["backtest/update/cpu_seconds"] > 0
    kept = {"cases.parquet", "windows.csv", "windows.png", "report.md"}
    assert artifacts(run, "backtest") == kept
    windows = read_csv(find_run(MlflowClient(), run.info.run_id, stages=("backtest",)))
    assert windows["step"].tolist() == ["full", "keep", "full", "update", "full", "full"]
    first = windows[windows["window"] == windows["window"].iloc[0]]
    assert set(first["ndcg"]) == {first["ndcg"].iloc[0]}, "all clocks begin with one model"
    children = MlflowClient().search_runs(
        ["0"], f"tags.`mlflow.parentRunId` = '{run.info.run_id}' and tags.stage = 'update'"
    )
    computed = [child for child in children if "cache.hit_of" not in child.data.tags]
    assert len(computed) == 3, "one model to begin with, one that goes on, one anew"

    again = recipe(
        "backtest", *words, "--clocks=[never,update,full,distil]", "--teachers=[counter]"
    )
    children = MlflowClient().search_runs(
        ["0"], f"tags.`mlflow.parentRunId` = '{again.info.run_id}' and tags.stage = 'update'"
    )
    (distilled,) = (child for child in children if "cache.hit_of" not in child.data.tags)
    assert distilled.data.metrics["train/loss_listwise"] > 0, "finished windows stay, one is new"
    windows = read_csv(find_run(MlflowClient(), again.info.run_id, stages=("backtest",)))
    cost = windows.set_index("step")["cpu_seconds"]
    assert cost["distil"] > distilled.data.metrics["cpu/fit_seconds"], "teachers cost, too"


def read_csv(run: RunReference) -> pd.DataFrame:
    return pd.read_csv(run.artifact("backtest") / "windows.csv")


def test_a_transfer_set_goes_on_and_so_does_a_student_of_it(
    recipe: Recipe,
    champion: str,
    nights: list[str],
    shop: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, second = (["--dataset=steps", f"--prepared={folder}"] for folder in nights)
    floor = recipe("train_baseline", "--model=counter", *first).info.run_id
    few = [f"--teacher_run={floor},{champion}", "--n_views=2", "--top_k=4", "--folds=2"]
    old = recipe("make_transfer_set", *few, *first)
    goes_on = ["make_transfer_set", *few, f"--extends_run={old.info.run_id}"]
    grown = [*ROLLING, f"--data_path={shop}", "--until=1970-01-29", f"--extends={nights[0]}"]
    new = recipe(*goes_on, *grown)
    assert new.data.tags["data.folder"] == nights[1], "data that grew, and a set that does"
    assert new.data.tags["extends_run_id"] == old.info.run_id
    manifests = [
        load_dict(f"runs:/{run.info.run_id}/transfer_set/manifest.json") for run in (old, new)
    ]
    asked = new.data.metrics["transfer/n_views_asked"]
    assert asked > 0
    assert manifests[1]["n_views"] == manifests[0]["n_views"] + asked
    own = [f"--transfer_run={new.info.run_id}", *second]
    run = recipe("update", f"--champion_run={champion}", *own)
    assert run.data.tags["transfer_run_id"] == new.info.run_id
    assert run.data.metrics["train/loss_listwise"] > 0

    for words, said in ((first, "did not grow from"), ([*second, "--extends=x"], "extends_run")):
        with pytest.raises(SystemExit):
            recipe(*goes_on, *words)
        assert said in capsys.readouterr().err
