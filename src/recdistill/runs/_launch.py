"""One stage starting another, as a child run in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import mlflow

from recdistill.errors import UserError
from recdistill.progress import PIPE
from recdistill.runs._dead_runs import process_tags
from recdistill.runs._references import RunReference, find_run

if TYPE_CHECKING:
    import signal
    from collections.abc import Mapping

    from mlflow import MlflowClient

    from recdistill.runs._run import Run

_PATIENCE_SECONDS = 30


def launch(
    parent: Run,
    stage: str,
    parameters: Mapping[str, Any],
    *,
    checkout: Path | None = None,
    python: Path | None = None,
) -> RunReference:
    """Run ``projects/<stage>.py`` as a child of ``parent`` and wait for its end.

    With ``checkout``, the folder of another checkout, it runs that one's code, and works there;
    with ``python``, by that program and its packages.

    Raises
    ------
    UserError
        When the child failed; names it and repeats its sentence.
    """
    print(f"--- {stage} {' '.join(_words(parameters))}", flush=True)
    child = Child(parent, stage, parameters, checkout=checkout, python=python)
    try:
        return child.wait()
    except BaseException:
        child.end()
        raise


class Child:
    """A stage at work in a process of its own, as a child run of ``parent``.

    A process of its own, so that memory peaks are the stage's alone and a crash is its own too. The
    child run exists before the process does: it can be found also when the process never starts.

    Parameters
    ----------
    parent : Run
    stage : str
    parameters : its settings by dotted names.
    checkout : the folder of another checkout, whose code is run there.
    python : the program that runs it; this process's own by default.
    output : where all that it prints goes; the terminal by default.
    progress : descriptor of a pipe on which it tells how far it is.
    threads : of its computations; as many as it likes by default.

    Raises
    ------
    UserError
        On a system without POSIX processes.

    Attributes
    ----------
    run_id : of the child run.
    cpu_seconds : that the process took, imports and its own children included; 0 before the end.
    """

    def __init__(
        self,
        parent: Run,
        stage: str,
        parameters: Mapping[str, Any],
        *,
        checkout: Path | None = None,
        python: Path | None = None,
        output: IO[bytes] | None = None,
        progress: int | None = None,
        threads: int | None = None,
    ) -> None:
        if not hasattr(os, "wait4"):
            raise UserError(
                f"Starting {stage} as a step needs a POSIX system: on Windows work in WSL2, where "
                "everything is as on Linux."
            )
        self.stage, self.cpu_seconds = stage, 0.0
        self._client: MlflowClient = parent.client
        experiment = self._client.get_run(parent.id).info.experiment_id
        tags = {
            "mlflow.parentRunId": parent.id,
            "mlflow.source.name": f"projects/{stage}.py",
            "mlflow.source.type": "PROJECT",
            "mlflow.project.entryPoint": stage,
            "stage": stage,
            # Until the child's own process says who it is: should this one die first, it is closed.
            **process_tags(),
        }
        self.run_id = str(self._client.create_run(experiment, tags=tags).info.run_id)
        self._process = subprocess.Popen(
            [str(python or sys.executable), "-m", f"projects.{stage}", *_words(parameters)],
            env=os.environ
            | {
                "MLFLOW_RUN_ID": self.run_id,
                "MLFLOW_TRACKING_URI": _absolute(mlflow.get_tracking_uri()),
            }
            | (_code_of(checkout) if checkout else {})
            | ({} if progress is None else {PIPE: str(progress)})
            | ({} if threads is None else _threads(threads)),
            cwd=checkout,
            stdout=output,
            stderr=output,
            pass_fds=() if progress is None else (progress,),
        )

    def wait(self) -> RunReference:
        """Wait for the end.

        Raises
        ------
        UserError
            When the child failed; names it and repeats its sentence.
        """
        _, status, usage = os.wait4(self._process.pid, 0)
        code = self._process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_seconds = usage.ru_utime + usage.ru_stime
        if code != 0:
            self._close("FAILED")
            why = self._client.get_run(self.run_id).data.tags.get(
                "error", f"it left with status {code}"
            )
            raise UserError(f"Stage {self.stage} failed (run {self.run_id}): {why}")
        return find_run(self._client, self.run_id, stages=(self.stage,))

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended; whoever waits for it sees it end."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    def end(self) -> None:
        """End the process if it still works, and wait for that; close its run as KILLED."""
        if self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._close("KILLED")

    def _close(self, status: str) -> None:
        """Close the child's run unless the child did so itself."""
        if self._client.get_run(self.run_id).info.status == "RUNNING":
            self._client.set_terminated(self.run_id, status=status)


def _words(parameters: Mapping[str, Any]) -> list[str]:
    return [f"--{key}={value}" for key, value in parameters.items()]


def _absolute(uri: str) -> str:
    """Let a store in a file be found from any folder."""
    path = uri.removeprefix("sqlite:///")
    return uri if path == uri or not path else f"sqlite:///{Path(path).absolute()}"


def _code_of(checkout: Path) -> dict[str, str]:
    return {
        "PYTHONPATH": os.pathsep.join([str(checkout / "src"), str(checkout)]),
        "PYTHONSAFEPATH": "1",
    }


def _threads(n: int) -> dict[str, str]:
    """Set the number of threads, unless a person has set it."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {name: str(n) for name in names if name not in os.environ}
