"""Metrics survive a database that dies under a run, and a crowd of writers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psycopg
import pytest
from _servers import ROOT, TeamServer, environment, missing_for_team
from mlflow import MlflowClient

from recdistill.sweeps import (
    first_attempt,
    reconcile,
    state_of,
)
from recdistill.sweeps._reconcile import trial_runs

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(missing_for_team()), reason=missing_for_team() or "-"),
]

N_TRIALS, N_DEATHS = 24, 5
WRITER = [sys.executable, str(ROOT / "tests" / "e2e" / "writer.py")]


def test_run_ends_complete_when_postgres_is_killed_and_comes_back(
    team_server: TeamServer, tmp_path: Path
) -> None:
    writer = _start_writer(team_server, tmp_path, "through an outage", n_metrics=2000, seconds=12)
    run_id = _first_line(writer)
    time.sleep(4)
    os.kill(_postgres_pid(team_server), signal.SIGKILL)
    time.sleep(3)  # some forty steps find no database
    said = team_server.tracking("start").stdout
    out, _ = writer.communicate(timeout=150)
    assert "postgres: process" in said
    assert writer.returncode == 0, out
    assert _rows(team_server, run_id) == (2000, 200, "FINISHED")


@pytest.mark.slow
def test_five_deaths_of_postgres_lose_no_metric_and_no_trial(
    team_server: TeamServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A live training and a live sweep of four workers, over one PostgreSQL that keeps dying."""
    from tests.unit.sweeps.conftest import make_hill

    password = team_server.secrets["RECDISTILL_TEAM_DB_PASSWORD"]
    known = {**team_server.login, "PGPASSWORD": password}
    for name, value in known.items():
        monkeypatch.setenv(name, value)
    url = f"postgresql+psycopg://recdistill@127.0.0.1:{team_server.postgres_port}/optuna"
    hill = make_hill(MlflowClient(team_server.url), tmp_path, url)
    hill.fill(N_TRIALS)
    words = [hill.study.study_name, url, team_server.url, hill.mirror.parent, str(tmp_path / "c")]
    pool = [sys.executable, "-m", "tests.unit.sweeps.pool", *words, "4", "2"]
    env = environment(**known, PYTHONPATH=f"{ROOT}:{ROOT}/src", OMP_NUM_THREADS="1")
    writer = _start_writer(team_server, tmp_path, "five outages", n_metrics=3000, seconds=60)
    run_id = _first_line(writer)
    sweep = subprocess.Popen(pool, cwd=ROOT, env=env, stderr=subprocess.DEVNULL)
    try:
        for _ in range(N_DEATHS):
            time.sleep(5)
            os.kill(_postgres_pid(team_server), signal.SIGKILL)
            time.sleep(2)
            team_server.tracking("start")
        out, _ = writer.communicate(timeout=240)
        assert writer.returncode == 0, out
        # A sweep that gave up says so and goes on with the same command.
        if sweep.wait(240):
            subprocess.run(pool, cwd=ROOT, env=env, check=True, timeout=240)
    finally:
        sweep.kill()
        writer.kill()
    assert _rows(team_server, run_id) == (3000, 300, "FINISHED")
    trials = hill.study.get_trials()
    done = [first_attempt(trial) for trial in trials if state_of(trial) == "complete"]
    assert sorted(done) == list(range(N_TRIALS)), "every place filled once"
    reconcile(hill.study, hill.mirror, hill.space)
    shown = {
        int(r.data.tags["trial.number"]): r.data.tags["state"] for r in trial_runs(hill.mirror)
    }
    assert shown == {trial.number: state_of(trial) for trial in trials}
    found = {"deaths": N_DEATHS, "metrics": 3000, "trials": N_TRIALS, "workers": 4, "lost": 0}
    kept = ROOT / "build" / "faults" / "outage.json"  # for docs/promises.md, by benchmarks.faults
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(found) + "\n")


def test_writers_side_by_side_lose_nothing(team_server: TeamServer, tmp_path: Path) -> None:
    crowd = [
        _start_writer(team_server, tmp_path, f"writer-{i}", n_metrics=1000, seconds=1)
        for i in range(3)
    ]
    for writer in crowd:
        run_id = _first_line(writer)
        out, _ = writer.communicate(timeout=150)
        assert writer.returncode == 0, out
        assert _rows(team_server, run_id) == (1000, 100, "FINISHED")


def _start_writer(
    server: TeamServer, folder: Path, name: str, *, n_metrics: int, seconds: float
) -> subprocess.Popen[str]:
    env = environment(
        **server.login,
        MLFLOW_EXPERIMENT_NAME="writers",
        MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING="false",
        OMP_NUM_THREADS="1",
    )
    return subprocess.Popen(
        [*WRITER, name, str(n_metrics), str(seconds)],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _first_line(writer: subprocess.Popen[str]) -> str:
    assert writer.stdout is not None
    for line in writer.stdout:  # ends with the process
        if len(line.strip()) == 32:
            return line.strip()
    raise AssertionError("the writer ended before it had a run")


def _postgres_pid(server: TeamServer) -> int:
    return int((server.folder / "data" / "postgres" / "postmaster.pid").read_text().split()[0])


def _rows(server: TeamServer, run_id: str) -> tuple[int, int, str]:
    """Metrics, distinct steps and status of a run, asked of the database itself."""
    password = server.secrets["RECDISTILL_TEAM_DB_PASSWORD"]
    address = f"host=127.0.0.1 port={server.postgres_port} user=recdistill dbname=mlflow"
    with psycopg.connect(f"{address} password={password}") as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM metrics WHERE run_uuid = %(run)s),"
            " (SELECT count(DISTINCT step) FROM metrics WHERE run_uuid = %(run)s),"
            " (SELECT status FROM runs WHERE run_uuid = %(run)s)",
            {"run": run_id},
        ).fetchone()
    assert row is not None
    return tuple(row)
