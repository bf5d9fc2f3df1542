"""What goes on around a stage while it works: the machine's monitor, and being asked to end."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recdistill.runs._run import Run


INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


class Asked(SystemExit):
    """The process was asked to end, by SIGTERM or Ctrl-C (SIGINT); the status says by which."""


def leaving_words(leaving: BaseException, run: Run) -> str:
    """Say what happened to the run and where it can go on."""
    by = "SIGTERM" if getattr(leaving, "code", None) == 128 + signal.SIGTERM else "Ctrl-C"
    return (
        f"stopped by {by}; run {run.id} is closed as KILLED. Start the same command again: what "
        "was trained is kept and goes on from the last finished epoch."
    )


def system_metrics(run_id: str) -> Any:
    """MLflow's monitor of the machine, started for the run; None where it is switched off."""
    if os.environ.get("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "true").lower() != "true":
        return None
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    monitor = SystemMetricsMonitor(run_id, sampling_interval=5, samples_before_logging=1)
    monitor.start()
    return monitor


class Closing:
    """Whether the run is being closed."""

    def __init__(self) -> None:
        self.began = False


@contextmanager
def signals_raise() -> Iterator[Closing]:
    """Turn SIGTERM and SIGINT into :class:`Asked`; the run is closed on the way out.

    Once that has begun, further ones change nothing: it takes a moment, and half of it is worth
    nothing. Until then each one counts, since a destructor may swallow the exception of the first.
    In a notebook, Ctrl-C stays the kernel's.
    """
    closing = Closing()

    def leave(number: int, _frame: object) -> None:
        if not closing.began:
            raise Asked(128 + number)

    before = {}
    for number in (signal.SIGTERM, signal.SIGINT):
        if number == signal.SIGINT and "ipykernel" in sys.modules:
            continue
        with suppress(ValueError):  # not the main thread; whoever is has its own handler
            before[number] = signal.signal(number, leave)
    try:
        yield closing
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
