"""What goes on around a stage while it works: the machine's monitor, and being asked to end."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator


class Terminated(SystemExit):
    """The process was asked to end (SIGTERM)."""


def system_metrics(run_id: str) -> Any:
    """MLflow's monitor of the machine, started for the run; None where it is switched off."""
    if os.environ.get("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "true").lower() != "true":
        return None
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    monitor = SystemMetricsMonitor(run_id, sampling_interval=5, samples_before_logging=1)
    monitor.start()
    return monitor


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Turn SIGTERM into :class:`Terminated`, so that the run is closed on the way out."""

    def leave(_signal: int, _frame: object) -> NoReturn:
        raise Terminated(143)

    try:
        before = signal.signal(signal.SIGTERM, leave)
    except ValueError:  # not the main thread; whoever is has its own handler
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
