"""Items that came after training, served by their texts by promote and score, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient

from tests.recipes.conftest import TINY_STUDENT, Recipe

if TYPE_CHECKING:
    from pathlib import Path

# Enough users that validation has targets of either kind; the figures mean nothing.
COLD = ["--max_users=200", "--data_seed=1", "--split=cold_items", "--cold_items.val_share=0.25"]
NAME = "recdistill-new"
CALM = ["--undecided=replace", "--margin=0.9", "--guard_margin=0.9", "--limits.latency=50"]
READ = ["--columns.item_id=sku", "--columns.title=name"]


@pytest.fixture(scope="module")
def student(recipe: Recipe) -> str:
    """A student with ids and texts by TF-IDF, of a split that holds items out; the run's id."""
    recipe("embed_items", "--encoder=tfidf", "--dim=16", *COLD)
    words = ["--student.item=id+text", "--student.id_dropout=0.2"]
    run = recipe("train_baseline", *COLD, *TINY_STUDENT, *words)
    assert run.data.metrics["new_items/known_val_ndcg_at_10"] >= (
        0.98 * run.data.metrics["new_items/known_val_ndcg_at_10_alone"]
    )
    return str(run.info.run_id)


@pytest.fixture(scope="module")
def listed(workshop: Path) -> Path:
    """An item file of the shop's own: a new film, the twin of one in the catalog, a known id."""
    films = pd.DataFrame(
        {"sku": ["n1", "n2", "50"], "name": ["Star Wars: The Next Day", "Toy Story", "Other name"]}
    )
    films.to_csv(workshop / "items.csv", index=False)
    return workshop / "items.csv"


def test_new_items_are_served_under_a_version_of_their_own(
    recipe: Recipe, student: str, listed: Path
) -> None:
    recipe("promote", f"--model_run={student}", *COLD, f"--name={NAME}")
    grown = [f"--model_run={student}", *COLD, f"--name={NAME}", f"--new_items={listed}", *READ]
    run = recipe("promote", *grown, *CALM)
    assert run.data.metrics["new_items/n_served"] == 2
    client = MlflowClient()
    old, new = (client.get_model_version(NAME, number) for number in ("1", "2"))
    assert client.get_model_version_by_alias(NAME, "champion").version == new.version
    assert new.tags["catalog.parent"] == old.tags["catalog.digest"]
    assert new.tags["catalog.digest"] != old.tags["catalog.digest"]
    before = mlflow.pyfunc.load_model(f"models:/{NAME}/1")
    after = mlflow.pyfunc.load_model(f"models:/{NAME}/2")
    asked = pd.DataFrame({"history": [["50", "181", "172"]]})
    n_old = before.unwrap_python_model().top_k.names.n_items
    everything = {"k": n_old, "keep_history": True}
    (was,) = before.predict(asked, params=everything)
    (now,) = after.predict(asked, params=everything | {"k": n_old + 2})
    assert set(now["items"]) == {*was["items"], "n1", "n2"}
    scores, before_that = (
        dict(zip(answer["items"], answer["scores"], strict=True)) for answer in (now, was)
    )
    for item, score in before_that.items():
        assert scores[item] == pytest.approx(score, abs=1e-4)
    assert after.predict(pd.DataFrame({"history": [["n1", "n2"]]}), params={"k": 3})


def test_score_offers_new_items_too(
    recipe: Recipe, student: str, listed: Path, workshop: Path
) -> None:
    grown = [f"--model_run={student}", *COLD, f"--new_items={listed}", *READ]
    recipe("score", *grown, "--output=lists", "--k=1682", "--keep_history=true")
    lists = pd.read_parquet(workshop / "lists")
    offered = {item for items in lists["items"] for item in items}
    assert {"n1", "n2"} & offered


def test_what_cannot_be_placed_is_refused(
    recipe: Recipe, student: str, listed: Path, workshop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = str(recipe("train_baseline", *COLD, *TINY_STUDENT).info.run_id)
    for words, complaint in (
        ([f"--model_run={plain}", f"--new_items={listed}"], "knows items by their ids alone"),
        ([f"--model_run={student}", f"--new_items={workshop}/none.csv"], "none.csv"),
    ):
        with pytest.raises(SystemExit):
            recipe("promote", *COLD, "--name=other", *READ, *words)
        assert complaint in capsys.readouterr().err
    known = pd.DataFrame({"sku": ["50"], "name": ["Star Wars"]})
    known.to_csv(workshop / "known.csv", index=False)
    with pytest.raises(SystemExit):
        recipe("score", *COLD, f"--model_run={student}", f"--new_items={workshop}/known.csv", *READ)
    assert "are in the catalog already" in capsys.readouterr().err
