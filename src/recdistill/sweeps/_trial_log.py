"""What is written of a trial while it trains: to the pruner, to MLflow, and its time."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import optuna

from recdistill.sweeps._queue import POINT, SECONDS
from recdistill.sweeps._signals import end_if_asked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna.trial import Trial

    from recdistill.sweeps._mirror import TrialRun
    from recdistill.sweeps._study import StudySpec


@dataclass(frozen=True)
class Clock:
    """A moment, or the time between two: on the wall, and of this process's processors."""

    wall: float = field(default_factory=time.monotonic)
    cpu: float = field(default_factory=time.process_time)

    def __sub__(self, other: Clock) -> Clock:
        return Clock(self.wall - other.wall, self.cpu - other.cpu)

    def __add__(self, other: Clock) -> Clock:
        return Clock(self.wall + other.wall, self.cpu + other.cpu)


class TrialLog:
    """Passes every epoch's metrics to the pruner and to MLflow, and keeps the time."""

    def __init__(self, spec: StudySpec, trial: Trial, shown: TrialRun, began: Clock) -> None:
        self.spec, self.trial, self.shown = spec, trial, shown
        self._before = float(trial.user_attrs.get(SECONDS, 0.0))
        self._began, self._train_began = began, Clock()
        self._train_ended: Clock | None = None
        self._reporting = Clock(0.0, 0.0)

    def cpu_seconds(self) -> float:
        """Processor seconds spent on this trial, those of dead attempts included."""
        return self._before + (Clock() - self._train_began).cpu

    def show(self, shown: TrialRun) -> None:
        """Write to this run from now on; the training begins."""
        self.shown, self._train_began = shown, Clock()

    def trained(self) -> None:
        """Note that the training is over."""
        self._train_ended = Clock()

    def overhead(self) -> dict[str, float]:
        """Return what this trial took beside its training: Optuna's and MLflow's part."""
        now = Clock()
        training = (self._train_ended or now) - self._train_began - self._reporting
        rest = now - self._began - training
        return {"time/overhead_seconds": rest.wall, "time/overhead_cpu_seconds": rest.cpu}

    def __call__(self, metrics: Mapping[str, float], epoch: int) -> None:
        end_if_asked()
        began = Clock()
        try:
            self._report(metrics, epoch)
        finally:
            self._reporting += Clock() - began

    def _report(self, metrics: Mapping[str, float], epoch: int) -> None:
        self.shown.log(metrics, epoch)
        self.trial.set_user_attr(SECONDS, round(self.cpu_seconds(), 2))
        value = metrics.get(self.spec.metric)
        if value is None or len(self.spec.objectives) > 1:
            return
        self.trial.report(value, epoch)
        # Known points are what everything else is measured against: they run to their end.
        if POINT not in self.trial.user_attrs and self.trial.should_prune():
            raise optuna.TrialPruned
