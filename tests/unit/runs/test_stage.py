"""A run tells the truth about how its stage ended, and is never left RUNNING."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mlflow.entities import RunStatus
from mlflow.exceptions import MlflowException

from recdistill.errors import UserError
from recdistill.runs import (
    Run,
    open_run,
    stage,
)
from recdistill.runs._dead_runs import close_dead_runs

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun


@dataclass
class Settings:
    """The settings of the stage of these tests."""

    seed: int = 0
    preset: str | None = None
    use_cache: bool = True
    baseline_run: str = "latest"


def only_run(store: MlflowClient) -> MlflowRun:
    runs = store.search_runs(["0"])
    assert len(runs) == 1
    return runs[0]


def test_a_finished_stage_leaves_settings_metrics_and_surroundings(store: MlflowClient) -> None:
    def work(config: Settings, run: Run) -> None:
        with run.phase("fit"):
            run.log_metrics({"train/loss": 0.123456789}, step=3)
        run.rename(f"s{config.seed}-demo")

    stage(work, Settings, "demo", ["--seed", "2"])
    run = only_run(store)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "s2-demo"
    assert run.data.params["config.seed"] == "2"
    assert run.data.metrics["train/loss"] == 0.1234568
    assert run.data.metrics["time/fit_seconds"] >= 0
    assert run.data.metrics["memory/fit_peak_rss_mb"] > 10
    assert run.data.tags["stage"] == "demo"
    names = {a.path for a in store.list_artifacts(run.info.run_id)}
    assert {"config.yaml", "environment"} <= names


def test_adopts_the_run_that_mlflow_run_opened(
    store: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = store.create_run("0").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", opened)
    stage(lambda config, run: None, Settings, "demo", [])
    assert only_run(store).info.run_id == opened
    assert "MLFLOW_RUN_ID" not in os.environ, "a child process must not hijack the run"


def test_a_run_that_was_closed_is_open_again_while_its_stage_goes_on(
    store: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = store.create_run("0").info.run_id
    store.set_tag(opened, "closed.reason", "process 7 ended without closing the run")
    store.set_terminated(opened, "KILLED")
    monkeypatch.setenv("MLFLOW_RUN_ID", opened)
    seen = []
    stage(lambda config, run: seen.append(only_run(store).info.status), Settings, "demo", [])
    run = only_run(store)
    assert (seen, run.info.status) == (["RUNNING"], "FINISHED")
    assert "closed.reason" not in run.data.tags


def test_a_users_mistake_is_one_sentence_status_2_and_a_failed_run(
    store: MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(config: Settings, run: Run) -> None:
        raise UserError("The file x.csv is empty.")

    with pytest.raises(SystemExit) as left:
        stage(work, Settings, "demo", [])
    assert left.value.code == 2
    assert capsys.readouterr().err == "demo: The file x.csv is empty.\n"
    run = only_run(store)
    assert (run.info.status, run.data.tags["error"]) == ("FAILED", "The file x.csv is empty.")
    assert run.info.run_name == "demo", "what failed before it was named has a name people can read"


def test_wrong_settings_fail_the_adopted_run_before_anything_is_written(
    store: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_RUN_ID", store.create_run("0").info.run_id)
    with pytest.raises(SystemExit):
        stage(lambda config, run: None, Settings, "demo", ["--sed", "1"])
    run = only_run(store)
    assert run.info.status == "FAILED"
    assert "did you mean 'seed'" in run.data.tags["error"]
    assert not run.data.params


def test_our_own_defect_keeps_its_traceback(store: MlflowClient) -> None:
    with pytest.raises(ZeroDivisionError), open_run("demo", Settings()):
        _ = 1 / 0
    run = only_run(store)
    assert run.info.status == "FAILED"
    assert "error.txt" in {a.path for a in store.list_artifacts(run.info.run_id)}


def test_sigterm_closes_the_run_as_killed(store: MlflowClient) -> None:
    def be_terminated() -> None:
        with open_run("demo", Settings()) as run:
            run.log_metrics({"train/loss": 1.0})
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)  # the signal arrives before this ends

    with pytest.raises(SystemExit) as left:
        be_terminated()
    assert left.value.code == 143
    run = only_run(store)
    assert run.info.status == "KILLED"
    assert run.data.metrics["train/loss"] == 1.0, "nothing already written is lost"


def test_a_run_whose_process_is_gone_is_closed_by_the_next_stage(store: MlflowClient) -> None:
    child = os.fork()
    if child == 0:
        with open_run("demo", Settings()):
            os._exit(0)  # as kill -9: nothing of ours runs any more
    os.waitpid(child, 0)
    assert only_run(store).info.status == "RUNNING"
    assert close_dead_runs(store) == [only_run(store).info.run_id]
    assert only_run(store).info.status == "KILLED"


def test_a_run_says_whose_it_is_from_its_first_moment(
    store: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        os._exit(0)

    child = os.fork()
    if child == 0:
        monkeypatch.setattr("recdistill.runs._open_run.Run", killed)
        with open_run("demo", Settings()):
            pass
    os.waitpid(child, 0)
    assert only_run(store).info.status == "RUNNING"
    assert close_dead_runs(store) == [only_run(store).info.run_id]


PRESSED = """
import os, signal, sys
from dataclasses import dataclass
from recdistill.runs import stage

@dataclass
class Settings:
    seed: int = 0

def work(config, run):
    run.log_metrics({"train/loss": 1.0})
    close = run.close
    def pressed_again(status):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
        close(status)
    run.close = pressed_again
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()

stage(work, Settings, "demo", [])
"""


@pytest.mark.slow
def test_ctrl_c_three_times_is_killed_and_says_where_it_can_go_on(
    store: MlflowClient, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRESSED],
        env=os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 130
    assert "stopped by Ctrl-C" in done.stderr
    assert "Start the same command again" in done.stderr
    assert "Traceback" not in done.stderr
    run = only_run(store)
    assert run.info.status == "KILLED"
    assert run.data.metrics["train/loss"] == 1.0


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/full/model"),
        OSError(errno.EROFS, os.strerror(errno.EROFS), "/fixed"),
        MlflowException("(sqlite3.OperationalError) attempt to write a readonly database"),
    ],
    ids=["full", "read-only", "read-only-store"],
)
def test_a_disk_that_takes_nothing_is_one_sentence(
    store: MlflowClient, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def work(config: Settings, run: Run) -> None:
        raise error

    with pytest.raises(SystemExit) as left:
        stage(work, Settings, "demo", [])
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert "Start the same command again" in said
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1
    assert only_run(store).info.status == "FAILED"


def test_metrics_of_a_store_that_was_away_are_delivered_by_the_next_stage(
    store: MlflowClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def away(*_: object, **__: object) -> None:
        raise MlflowException("connection refused")

    def work(config: Settings, run: Run) -> None:
        monkeypatch.setattr(type(store), "log_batch", away)
        run.log_metrics({"train/loss": 0.5}, step=7)
        run.give_up_waiting()

    with pytest.raises(SystemExit):
        stage(work, Settings, "demo", [])
    monkeypatch.undo()
    os.chdir(Path(store.tracking_uri.removeprefix("sqlite:///")).parent)
    said = capsys.readouterr().err
    assert "unwritten-metrics" in said
    lost = store.search_runs(["0"])[0].info.run_id
    store.set_terminated(lost, status="KILLED")  # as the next stage does when the process is gone
    with open_run("other", Settings()):
        pass
    assert [(m.value, m.step) for m in store.get_metric_history(lost, "train/loss")] == [(0.5, 7)]
    assert not list(Path(".recdistill").glob("unwritten*"))


FIRST = """
from recdistill.runs._store import open_store
print(len(open_store().search_experiments()))
"""


@pytest.mark.slow
def test_first_runs_at_once_make_one_whole_store(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/mlflow.db"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", FIRST],
            env=os.environ | {"MLFLOW_TRACKING_URI": url},
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    said = [process.communicate(timeout=300) for process in started]
    assert [out.strip() for out, _ in said] == ["1"] * 3, said
    assert not [err for _, err in said if "Traceback" in err]


def test_a_living_run_is_left_alone(store: MlflowClient) -> None:
    with open_run("demo", Settings()) as run:
        assert close_dead_runs(store) == []
        status = store.get_run(run.id).info.status
    assert RunStatus.from_string(status) == RunStatus.RUNNING


class Gone:
    """A client whose server is down."""

    def __getattr__(self, name: str) -> object:
        raise MlflowException("connection refused")


def test_a_store_that_goes_away_is_said_in_one_sentence(
    store: MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(config: Settings, run: Run) -> None:
        run.client = Gone()  # type: ignore[assignment]
        run.log_text("half", "result.txt")

    with pytest.raises(SystemExit) as left:
        stage(work, Settings, "demo", [])
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert "The tracking store went away" in said
    assert "start the same command again" in said
    assert "Traceback" not in said


def test_an_experiment_that_is_not_there_is_one_sentence(
    store: MlflowClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "77")
    with pytest.raises(SystemExit) as left:
        stage(lambda config, run: None, Settings, "demo", [])
    assert left.value.code == 2
    assert "MLFLOW_EXPERIMENT_ID is 77" in capsys.readouterr().err
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "gone")
    store.delete_experiment(store.create_experiment("gone"))
    with pytest.raises(UserError, match="'gone' cannot be used"), open_run("demo", Settings()):
        pass
    assert store.search_runs(["0"]) == []
