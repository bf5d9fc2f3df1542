"""Runs whose process is gone must not stay RUNNING."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_NEVER_STARTED_AFTER_MS = 3_600_000


def process_tags() -> dict[str, str]:
    """Tags by which a later stage can tell whether this process still lives."""
    me = psutil.Process()
    return {
        "process.host": socket.gethostname(),
        "process.pid": str(me.pid),
        "process.started": f"{me.create_time():.0f}",
    }


def close_dead_runs(client: MlflowClient) -> list[str]:
    """Mark runs KILLED whose process on this host is gone (kill -9, power cut); return their ids.

    Also FAILED: project runs that ``mlflow run`` opened more than an hour ago and whose stage never
    started, as when building their environment failed; MLflow leaves those RUNNING for ever.
    """
    experiments = [e.experiment_id for e in client.search_experiments()]
    closed = []
    for run in client.search_runs(experiments, "attributes.status = 'RUNNING'", max_results=1000):
        verdict = _verdict(run)
        if verdict:
            status, reason = verdict
            client.set_tag(run.info.run_id, "closed.reason", reason)
            client.set_terminated(run.info.run_id, status=status)
            closed.append(run.info.run_id)
    return closed


def reopen(client: MlflowClient, run_id: str) -> None:
    """Mark a run RUNNING that somebody goes on with, whatever it was closed for."""
    run = client.get_run(run_id)
    if run.info.status != "RUNNING":
        client.update_run(run_id, status="RUNNING")
    if "closed.reason" in run.data.tags:
        client.delete_tag(run_id, "closed.reason")


def _verdict(run: Run) -> tuple[str, str] | None:
    tags = run.data.tags
    if tags.get("process.host") == socket.gethostname():
        if not alive(int(tags["process.pid"]), float(tags["process.started"])):
            return "KILLED", f"process {tags['process.pid']} ended without closing the run"
    elif "process.host" not in tags and "mlflow.project.entryPoint" in tags:
        age = time.time() * 1000 - run.info.start_time
        if age > _NEVER_STARTED_AFTER_MS:
            return "FAILED", "its stage never started; see the output of 'mlflow run'"
    return None


def alive(pid: int, started: float) -> bool:
    """Whether the process that began at ``started`` (seconds) still works under this id."""
    try:
        process = psutil.Process(pid)
        # The pid alone may meanwhile be somebody else's.
        return abs(process.create_time() - started) < 2 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
