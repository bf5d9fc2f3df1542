"""The audit of language on sixty users: every arm, its plan, its files, and going on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from mlflow import MlflowClient

from recdistill.runs import find_run
from tests.recipes.conftest import SMALL, TINY_STUDENT, Recipe, artifacts

if TYPE_CHECKING:
    from mlflow.entities import Run

ARMS = ["ids", "tfidf", "llama0", "llama0-random", "llama0-permuted"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def words(recipe: Recipe, llama: str) -> list[str]:
    """The flags of an audit of a tiny recipe; its baseline is of GRU4Rec."""
    baseline = recipe(
        "train_baseline", "--model=gru4rec", "--student.n_blocks=1", *SMALL, *TINY_STUDENT
    )
    return [
        f"--encoders=[{llama}]",
        f"--baseline_run={baseline.info.run_id}",
        "--n_seeds=2",
        "--n_draws=2",
        "--grid.dropout=[0.1,0.4]",
        "--grid.dim=[8]",
        *SMALL,
    ]


@pytest.fixture(scope="module")
def audit(recipe: Recipe, words: list[str]) -> Run:
    return recipe("audit_language", *words)


def children(run: Run, stage: str) -> list[Run]:
    found = MlflowClient().search_runs(
        ["0"], f"tags.`mlflow.parentRunId` = '{run.info.run_id}' and tags.stage = '{stage}'"
    )
    assert {one.info.status for one in found} == {"FINISHED"}
    return list(found)


def test_settings_are_chosen_without_the_test_part(audit: Run) -> None:
    trials = children(audit, "trial")
    assert len(trials) == 2 * len(ARMS)
    assert not any(name.startswith("test/") for run in trials for name in run.data.metrics)
    plain = found(audit)
    for arm in plain["arms"]:
        of_arm = [run for run in trials if run.data.tags["arm"] == arm["arm"]["name"]]
        best = max(of_arm, key=lambda run: run.data.metrics["best/val/ndcg_at_10"])
        values = {run.data.metrics["best/val/ndcg_at_10"] for run in of_arm}
        if len(values) == len(of_arm):
            assert best.data.params["config.student.dropout"] == str(arm["setting"]["dropout"])


def found(audit: Run) -> dict:
    kept = find_run(MlflowClient(), audit.info.run_id, stages=("audit_language",))
    return json.loads(kept.artifact("audit.json").read_text("utf-8"))


def test_every_arm_is_the_same_recipe_with_other_items(audit: Run) -> None:
    plain = found(audit)
    assert [arm["arm"]["name"] for arm in plain["arms"]] == ARMS
    assert plain["n_cases"] == 60
    models = children(audit, "train_baseline")
    assert len(models) == 2 * len(ARMS)
    assert {run.data.params["config.model"] for run in models} == {"gru4rec"}
    assert {run.data.params["config.seed"] for run in models} == {"0", "1"}
    items = [run.data.params["config.student.item"] for run in models]
    assert sorted(set(items)) == ["id", "id+text"]
    assert items.count("id") == 2
    # Drawn vectors are drawn anew for every training, the others are made once.
    texts = {run.data.tags.get("text_run_id", "") for run in models}
    assert len(texts) == 1 + 1 + 1 + 2 + 2


def test_it_says_what_it_found(audit: Run) -> None:
    assert {"audit.json", "audit.csv", "report.html"} <= artifacts(audit)
    card = audit.data.tags["mlflow.note.content"]
    assert "llama0-random" in card
    assert "processor time" in card
    # A training that is the baseline once more stands for it: nobody looked twice.
    models = children(audit, "train_baseline")
    met = {run.data.tags.get("cache.hit_of", run.info.run_id) for run in models}
    baseline = audit.data.params["config.baseline_run"]
    assert audit.data.metrics["looks_at_this_test_part"] == len(met | {baseline})


def test_the_same_command_goes_on_from_what_is_done(
    recipe: Recipe, words: list[str], audit: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    again = recipe("audit_language", *words)
    done = [*children(again, "trial"), *children(again, "train_baseline")]
    assert len(done) == 4 * len(ARMS)
    assert all("cache.hit_of" in run.data.tags for run in done)
    assert found(again)["differences"] == found(audit)["differences"]
    assert "20 trainings; 10 of them" in capfd.readouterr().out
