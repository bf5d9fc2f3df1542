"""promote and score on a small slice of real data, as their users run them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from recdistill.data import DataConfig, prepare
from recdistill.serving import LiveModel, Registry, RequestLog
from tests.recipes.conftest import SMALL, TINY_STUDENT, Recipe, artifacts

if TYPE_CHECKING:
    from pathlib import Path

NAME = "recdistill-ml-100k"
GIVEN = [*SMALL, f"--name={NAME}"]
# Sixty users show nothing, and a busy machine's clock even less.
FEW_USERS = ["--undecided=replace", "--limits.latency=50", "--limits.coverage=0"]


@pytest.fixture(scope="module")
def students(recipe: Recipe) -> dict[str, str]:
    """Ids of two students' runs, named by how they did on the test users."""
    short = [*SMALL, *TINY_STUDENT, "--max_epochs=1"]
    runs = [recipe("train_baseline", *short, f"--student.item_start={start}")
            for start in ("random", "cooccurrence")]  # fmt: skip
    worse, better = sorted(runs, key=lambda run: run.data.metrics["test/ndcg_at_10"])
    assert better.data.metrics["test/ndcg_at_10"] > worse.data.metrics["test/ndcg_at_10"]
    return {"worse": worse.info.run_id, "better": better.info.run_id}


@pytest.fixture(scope="module")
def champion(recipe: Recipe, students: dict[str, str]) -> str:
    """The better student, promoted after the worse one; its run id."""
    recipe("promote", f"--model_run={students['worse']}", *GIVEN)
    run = recipe("promote", f"--model_run={students['better']}", *GIVEN, *FEW_USERS)
    assert run.data.metrics["delta/ndcg_at_10_vs_champion"] > 0
    assert artifacts(run, "challenge") == {"table.md", "checks.json"}
    return students["better"]


def holders() -> dict[str, int]:
    aliases = MlflowClient().get_registered_model(NAME).aliases
    return {alias: int(version) for alias, version in aliases.items()}


def test_the_champion_is_a_version_with_alias_tags_and_card(champion: str) -> None:
    version = MlflowClient().get_model_version_by_alias(NAME, "champion")
    assert int(version.version) == 2
    assert version.tags["model_run_id"] == champion
    assert {"dataset", "protocol", "catalog.digest", "test/ndcg_at_10"} <= set(version.tags)
    assert version.tags["challenge"] == "passed"
    assert version.tags["replaced_version"] == "1"
    assert "| all test users (ndcg@10) |" in version.description
    assert holders() == {"champion": 2, "previous": 1}


def test_a_worse_student_is_refused_with_the_numbers_and_kept_as_challenger(
    recipe: Recipe,
    students: dict[str, str],
    champion: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    short = [*SMALL, *TINY_STUDENT, "--max_epochs=1", "--optimizer.lr=1e-9"]
    worst = recipe("train_baseline", *short, "--student.item_start=random", "--seed=7").info.run_id
    with pytest.raises(SystemExit):
        recipe("promote", f"--model_run={worst}", *GIVEN)
    said = capsys.readouterr().err
    assert "does not replace recdistill-ml-100k@champion. Against version 2: ndcg@10 0." in said
    assert "on the same 60 users" in said
    assert "force=true" in said
    assert holders() == {"champion": 2, "previous": 1, "challenger": 3}
    refused = MlflowClient().get_model_version(NAME, "3")
    assert refused.tags["challenge"] == "not passed"
    with pytest.raises(SystemExit):
        recipe("promote", f"--model_run={worst}", *GIVEN, "--force=true")
    assert "give a reason" in capsys.readouterr().err
    recipe("promote", f"--model_run={worst}", *GIVEN, "--force=true", "--reason=only a test")
    assert holders() == {"champion": 3, "previous": 2}
    forced = MlflowClient().get_model_version(NAME, "3")
    assert forced.tags["challenge"] == "forced"
    assert "Promoted by force: only a test." in forced.description


def test_rollback_is_one_command_and_refuses_where_nobody_was_before(
    recipe: Recipe, students: dict[str, str], champion: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = recipe("promote", "--rollback=true", *GIVEN, "--reason=it was a test")
    assert run.data.tags["registered"] == f"models:/{NAME}/2"
    assert holders() == {"champion": 2, "previous": 1}
    bad = MlflowClient().get_model_version(NAME, "3")
    assert bad.tags["rolled_back"].endswith("to version 2: it was a test")
    with pytest.raises(SystemExit):
        recipe("promote", f"--model_run={bad.tags['model_run_id']}", *GIVEN, *FEW_USERS)
    assert "was rolled back" in capsys.readouterr().err
    recipe("promote", f"--model_run={students['worse']}", *SMALL, "--name=fresh")
    with pytest.raises(SystemExit):
        recipe("promote", "--rollback=true", "--name=fresh")
    assert "which replaced nobody" in capsys.readouterr().err


def test_the_champion_again_is_no_new_version(
    recipe: Recipe, champion: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe("promote", f"--model_run={champion}", *GIVEN)
    assert "is recdistill-ml-100k@champion already (version 2)" in capsys.readouterr().out
    assert len(MlflowClient().search_model_versions(f"name='{NAME}'")) == 3


def test_the_registered_model_answers_by_itself(champion: str) -> None:
    model = mlflow.pyfunc.load_model(f"models:/{NAME}@champion")
    asked = pd.DataFrame({"history": [["50", "181"], ["Star Wars (1977)", "Toy Story"]]})
    answers = model.predict(asked, params={"k": 3, "exclude": ["100"]})
    assert [len(answer["titles"]) for answer in answers] == [3, 3]
    assert not {"50", "181", "100"} & set(answers[0]["items"])
    assert model.metadata.get_params_schema() is not None


def test_a_floor_cannot_be_promoted(recipe: Recipe, capsys: pytest.CaptureFixture[str]) -> None:
    floor = recipe("train_baseline", "--model=popularity", *SMALL).info.run_id
    with pytest.raises(SystemExit):
        recipe("promote", f"--model_run={floor}", *SMALL, "--name=other")
    assert "only students are served" in capsys.readouterr().err


def test_watch_passes_on_what_the_champion_expects_and_fails_beyond_a_limit(
    recipe: Recipe, champion: str, workshop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = RequestLog(workshop / "requests")
    live = LiveModel(Registry(MlflowClient(), NAME), log)
    watch = ["watch", f"--name={NAME}", "--min_histories=50"]
    data = prepare(DataConfig(max_users=60, seed=1))
    raw_ids = data.catalog.items["raw_id"].to_numpy()
    for user in range(60):
        history = raw_ids[data.test.history.row(user) - 1].tolist()
        live.predict(pd.DataFrame({"history": [history]}), {"keep_history": True})
    log.flush()
    run = recipe(*watch)
    assert run.data.metrics["watch/n_histories"] == 60
    assert run.data.metrics["watch/unknown"] == 0
    assert run.data.metrics["watch/coverage"] == pytest.approx(1)
    for _ in range(20):
        with pytest.raises(MlflowException):
            live.predict(pd.DataFrame({"history": [["not sold here"]]}))
    log.flush()
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        recipe(*watch)
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert "is beyond its limits in 24 h: drift.refused: 25.0% of requests were refused" in said
    failed = MlflowClient().search_runs(["0"], "tags.stage = 'watch'", max_results=1)[0]
    assert failed.info.status == "FAILED"
    assert failed.data.metrics["watch/refused"] == 0.25
    quiet = recipe(*watch, "--until=2026-01-01")
    assert "say nothing" in quiet.data.tags["mlflow.note.content"]


def test_score_writes_a_list_for_everybody(
    recipe: Recipe, champion: str, workshop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = recipe("score", "--model_run=champion", "--output=lists", "--titles=true", *SMALL)
    assert run.data.tags["model_run_id"] == champion
    assert run.data.metrics["score/n_users"] == 60
    lists = pd.read_parquet(workshop / "lists")
    assert lists["items"].map(len).tolist() == [10] * 60
    assert "60 users in 1 parts are in lists" in capsys.readouterr().out


def test_two_processes_write_the_same_lists(recipe: Recipe, champion: str, workshop: Path) -> None:
    halves = ["--part_size=20", "--accelerator=cpu", *SMALL]
    recipe("score", f"--model_run={champion}", "--output=one", *halves)
    # From a process of its own, as users do: the processes that Lightning starts import the main
    # module, and a test runner's is none to import.
    words = [f"--model_run={champion}", "--output=two", "--devices=2", *halves]
    command = [sys.executable, "-m", "projects.score", *words]
    env = os.environ | {"MLFLOW_TRACKING_URI": mlflow.get_tracking_uri()}
    subprocess.run(command, check=True, timeout=400, cwd=workshop, env=env)
    one, two = (pd.read_parquet(workshop / name) for name in ("one", "two"))
    assert len(list((workshop / "two").glob("part-*.parquet"))) == 3
    assert two["items"].map(list).tolist() == one["items"].map(list).tolist()
