"""One worker: take a trial, train it, tell the study, until nothing is left."""

from __future__ import annotations

import math
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from recdistill.sweeps._queue import (
    ERROR,
    INTERRUPTED,
    claim,
    first_attempt,
    give_up,
    give_up_stale,
    running,
    state_of,
    tally,
)
from recdistill.sweeps._signals import (
    STORAGE_TROUBLE,
    Interrupted,
    end_if_asked,
    ending_on_sigterm,
    heartbeat,
    sweep_is_gone,
    without_interruption,
)
from recdistill.sweeps._study import COST, halt, halted
from recdistill.sweeps._trial_log import Clock, TrialLog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from optuna import Study
    from optuna.pruners import BasePruner
    from optuna.storages import BaseStorage
    from optuna.trial import Trial

    from recdistill.sweeps._mirror import Mirror
    from recdistill.sweeps._space import Space
    from recdistill.sweeps._study import StudySpec

_POLL_SECONDS = 0.5
_HOPELESS_AFTER = 3


class Trainer(Protocol):
    """Trains one student; a stage's own training, with other settings."""

    def __call__(
        self,
        settings: Mapping[str, Any],
        *,
        log: Callable[[Mapping[str, float], int], None],
        checkpoint_folder: Path,
    ) -> Mapping[str, float]:
        """Return the metrics of the selected epoch."""


@dataclass
class Worker:
    """A worker's tools.

    Attributes
    ----------
    study_name, spec, space, storage : the study
    train : trains one trial
    mirror : shows it in MLflow
    name : of the worker, unique among those of the study
    checkpoints : folder in which a trial keeps what it can be resumed from
    """

    study_name: str
    spec: StudySpec
    space: Space
    storage: BaseStorage
    train: Trainer
    mirror: Mirror
    name: str
    checkpoints: Path
    _pruner: BasePruner = field(init=False)

    def __post_init__(self) -> None:
        self._pruner = self.spec.make_pruner()

    def work(self) -> int:
        """Take trials until none is left anywhere; return how many this worker finished."""
        with ending_on_sigterm():
            return self._work()

    def _work(self) -> int:
        grace = 3.0 * self.spec.heartbeat_seconds
        next_look, n_done = 0.0, 0
        while True:
            end_if_asked()
            if sweep_is_gone():
                return n_done  # the sweep is gone, and whoever continues it brings own workers
            study = self._study()
            if time.monotonic() >= next_look:
                give_up_stale(study, self.storage, grace)
                next_look = time.monotonic() + self.spec.heartbeat_seconds
            if halted(study):
                return n_done
            with without_interruption():
                trial = claim(study, self.storage, self.name)
            if trial is not None:
                n_done += self._do(trial)
            elif running(study):
                time.sleep(_POLL_SECONDS)  # one of them may die, and be waiting again
            else:
                return n_done

    def _study(self) -> Study:
        return optuna.load_study(
            study_name=self.study_name, storage=self.storage, pruner=self._pruner
        )

    def _do(self, trial: Trial) -> bool:
        """Train one trial; True when it ended by itself."""
        began = Clock()
        study, frozen = trial.study, _frozen(trial)
        study.sampler = self.spec.sampler_for(frozen)
        folder = self.checkpoints / f"{first_attempt(frozen)}"
        seconds = self.spec.heartbeat_seconds
        log = TrialLog(self.spec, trial, self.mirror.resume(frozen), began)
        with heartbeat(self.storage, trial._trial_id, seconds):
            try:
                end_if_asked()
                settings = self.space.suggest(trial)
                with without_interruption():
                    log.show(self.mirror.open(trial, settings))
                end_if_asked()
                values = self._train({**self.space.fixed, **settings}, log, folder)
            except optuna.TrialPruned:
                return self._tell(log, folder, TrialState.PRUNED)
            except (Interrupted, KeyboardInterrupt):
                self._hand_back(log)
                raise
            except UpdateFinishedTrialError:
                return self._leave(log)
            except STORAGE_TROUBLE:
                raise  # no fault of the trial's: this worker ends, and the trial is tried again
            except Exception as error:
                if sweep_is_gone():  # with it go the temporary files that it kept for its workers
                    self._hand_back(log)
                    raise Interrupted from error
                return self._fail(log, folder, f"{type(error).__name__}: {error}"[:2000])
            return self._tell(log, folder, TrialState.COMPLETE, values)

    def _train(self, settings: Mapping[str, Any], log: TrialLog, folder: Path) -> list[float]:
        """Train, and return a value for every objective."""
        best = self.train(settings, log=log, checkpoint_folder=folder)
        log.trained()
        values = [log.cpu_seconds() if o == COST else best[o] for o in self.spec.objectives]
        if any(math.isnan(value) for value in values):
            raise FloatingPointError("the training diverged: its validation is no number")
        log.shown.select(best)
        return values

    def _tell(
        self, log: TrialLog, folder: Path, state: TrialState, values: list[float] | None = None
    ) -> bool:
        with without_interruption():
            try:
                log.trial.study.tell(log.trial, values, state)
            except (ValueError, UpdateFinishedTrialError):
                return self._leave(log)
            log.shown.close(state_of(_frozen(log.trial)), log.overhead())
            shutil.rmtree(folder, ignore_errors=True)
            return True

    def _hand_back(self, log: TrialLog) -> None:
        """Let another worker go on with the trial: this one ends before it is done."""
        with without_interruption():
            with suppress(UpdateFinishedTrialError):
                log.trial.set_user_attr(INTERRUPTED, True)
            give_up(log.trial.study, self.storage, _frozen(log.trial))
            log.shown.close(state_of(_frozen(log.trial)))

    def _leave(self, log: TrialLog) -> bool:
        """Abandon a trial that was requeued because this worker's heartbeat came too late."""
        log.shown.close(state_of(_frozen(log.trial)))
        return False

    def _fail(self, log: TrialLog, folder: Path, error: str) -> bool:
        try:
            log.trial.set_user_attr(ERROR, error)
        except UpdateFinishedTrialError:
            return self._leave(log)
        log.shown.tag({"error": error})
        ended = self._tell(log, folder, TrialState.FAIL)
        self._stop_if_hopeless(log.trial.study, error)
        return ended

    def _stop_if_hopeless(self, study: Study, error: str) -> None:
        counts = tally(study)
        good = counts["complete"] + counts["pruned"]
        if not good and counts["failed"] >= _HOPELESS_AFTER:
            halt(study, f"every one of the first {counts['failed']} trials failed, as in: {error}")


def _frozen(trial: Trial) -> Any:
    return trial.study.get_trials(deepcopy=False)[trial.number]
