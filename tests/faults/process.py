"""Stages as forks of a process that has imported everything: they start at once."""

from __future__ import annotations

import atexit
import importlib
import os
import signal
import sys
import tempfile
import traceback
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING

import mlflow

from recdistill.runs import stage as main_of
from tests.faults.outcome import temporary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

_MODULES = "modules.txt"


def import_stages(stages: Iterable[str]) -> None:
    """Import everything once."""
    # A stage reaches its rooms when it runs; what they take long to import is named here.
    heavy = ["recdistill.runs._open_run", "pytorch_lightning", "transformers", "optuna", "peft"]
    for name in (*heavy, *(f"projects.{stage}" for stage in stages)):
        importlib.import_module(name)


def import_like(folder: Path) -> None:
    """Import what an uninterrupted stage of a folder had imported in the end."""
    for name in (folder / _MODULES).read_text().split():
        with suppress(Exception):  # made by hand, or of a file that is no module
            importlib.import_module(name)


def start_stage(folder: Path, name: str, words: list[str]) -> int:
    """Start a stage in a session of its own; return the process's id."""

    def work() -> None:
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        module = importlib.import_module(f"projects.{name}")
        main_of(module.run, module.Config, name, words)

    return start(folder, work)


def start(folder: Path, work: Callable[[], None]) -> int:
    """Do something in a fork that has ``folder``, its log and its temporary folder for its own."""
    short = str(temporary(folder))
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.setsid()
        # What the parent has begun it ends itself: its temporary folders are among that.
        for unfinished in list(weakref.finalize._registry):  # type: ignore[attr-defined]
            unfinished.atexit = False
        # As a terminal starts it, whatever this process ignores.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.chdir(folder)
        log = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        tempfile.tempdir = os.environ["TMPDIR"] = short
        work()
        (folder / _MODULES).write_text("\n".join(sys.modules))
        status = 0
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def wait_for(process: int) -> int:
    """Wait for a fork that nobody kills; return its exit status."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
