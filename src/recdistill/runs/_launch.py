"""One stage starting another, as a child run in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow

from recdistill.errors import UserError
from recdistill.runs._dead_runs import process_tags
from recdistill.runs._references import RunReference, find_run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recdistill.runs._run import Run

_PATIENCE_SECONDS = 30


def launch(
    parent: Run, stage: str, parameters: Mapping[str, Any], *, checkout: Path | None = None
) -> RunReference:
    """Run ``projects/<stage>.py`` as a child of ``parent`` and wait for its end.

    A process of its own, so that memory peaks are the stage's alone and a crash is its own too. The
    child run exists before the process does: it can be found also when the process never starts.
    With ``checkout``, the folder of another checkout, it runs that one's code, and works there.

    Raises
    ------
    UserError
        When the child failed; names it and repeats its sentence.
    """
    client = parent.client
    experiment = client.get_run(parent.id).info.experiment_id
    tags = {
        "mlflow.parentRunId": parent.id,
        "mlflow.source.name": f"projects/{stage}.py",
        "mlflow.source.type": "PROJECT",
        "mlflow.project.entryPoint": stage,
        "stage": stage,
        # Until the child's own process says who it is: should this one die first, it is closed.
        **process_tags(),
    }
    child = client.create_run(experiment, tags=tags).info.run_id
    words = [f"--{key}={value}" for key, value in parameters.items()]
    print(f"--- {stage} {' '.join(words)}", flush=True)
    process = subprocess.Popen(
        [sys.executable, "-m", f"projects.{stage}", *words],
        env=os.environ
        | {"MLFLOW_RUN_ID": child, "MLFLOW_TRACKING_URI": _absolute(mlflow.get_tracking_uri())}
        | (_code_of(checkout) if checkout else {}),
        cwd=checkout,
    )
    try:
        code = process.wait()
    except BaseException:
        _end(process)
        _close(parent, child, "KILLED")
        raise
    if code != 0:
        _close(parent, child, "FAILED")
        why = client.get_run(child).data.tags.get("error", f"it left with status {code}")
        raise UserError(f"Stage {stage} failed (run {child}): {why}")
    return find_run(client, child, stages=(stage,))


def _absolute(uri: str) -> str:
    """Let a store in a file be found from any folder."""
    path = uri.removeprefix("sqlite:///")
    return uri if path == uri or not path else f"sqlite:///{Path(path).absolute()}"


def _code_of(checkout: Path) -> dict[str, str]:
    return {
        "PYTHONPATH": os.pathsep.join([str(checkout / "src"), str(checkout)]),
        "PYTHONSAFEPATH": "1",
    }


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _close(parent: Run, child: str, status: str) -> None:
    """Close the child's run unless the child did so itself."""
    if parent.client.get_run(child).info.status == "RUNNING":
        parent.client.set_terminated(child, status=status)
