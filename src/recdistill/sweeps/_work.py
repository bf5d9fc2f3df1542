"""One worker: take a trial, train it, tell the study, until nothing is left."""

from __future__ import annotations

import math
import multiprocessing
import os
import shutil
import signal
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import optuna
import sqlalchemy
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from recdistill.sweeps._queue import (
    ERROR,
    INTERRUPTED,
    POINT,
    SECONDS,
    claim,
    first_attempt,
    give_up,
    give_up_stale,
    running,
    state_of,
    tally,
)
from recdistill.sweeps._study import COST, halt, halted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from optuna import Study
    from optuna.pruners import BasePruner
    from optuna.storages import BaseStorage
    from optuna.trial import Trial

    from recdistill.sweeps._mirror import Mirror, TrialRun
    from recdistill.sweeps._space import Space
    from recdistill.sweeps._study import Facts

_POLL_SECONDS = 0.5
_HOPELESS_AFTER = 3
_STORAGE_TROUBLE = (optuna.exceptions.StorageInternalError, sqlalchemy.exc.SQLAlchemyError)


class Interrupted(BaseException):
    """The worker was asked to end; no ``Exception``, so that nothing on the way catches it."""


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
    study_name, facts, space, storage : the study
    train : trains one trial
    mirror : shows it in MLflow
    name : of the worker, unique among those of the study
    checkpoints : folder in which a trial keeps what it can be resumed from
    """

    study_name: str
    facts: Facts
    space: Space
    storage: BaseStorage
    train: Trainer
    mirror: Mirror
    name: str
    checkpoints: Path
    _pruner: BasePruner = field(init=False)

    def __post_init__(self) -> None:
        self._pruner = self.facts.make_pruner()

    def work(self) -> int:
        """Take trials until none is left anywhere; return how many this worker finished."""
        with _obeying():
            return self._work()

    def _work(self) -> int:
        grace = 3.0 * self.facts.heartbeat_seconds
        next_look, n_done = 0.0, 0
        while True:
            _leave_if_asked()
            if _orphaned():
                return n_done  # the sweep is gone, and whoever continues it brings own workers
            study = self._study()
            if time.monotonic() >= next_look:
                give_up_stale(study, self.storage, grace)
                next_look = time.monotonic() + self.facts.heartbeat_seconds
            if halted(study):
                return n_done
            with _undisturbed():
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
        """Train one trial; True when it came to an end of its own."""
        began = _Clock()
        study, frozen = trial.study, _frozen(trial)
        study.sampler = self.facts.sampler_for(frozen)
        folder = self.checkpoints / f"{first_attempt(frozen)}"
        seconds = self.facts.heartbeat_seconds
        log = _Log(self, trial, self.mirror.resume(frozen), began)
        with _heartbeat(self.storage, trial._trial_id, seconds):
            try:
                _leave_if_asked()
                settings = self.space.suggest(trial)
                with _undisturbed():
                    log.show(self.mirror.open(trial, settings))
                _leave_if_asked()
                values = self._train({**self.space.fixed, **settings}, log, folder)
            except optuna.TrialPruned:
                return self._tell(log, folder, TrialState.PRUNED)
            except (Interrupted, KeyboardInterrupt):
                with _undisturbed():
                    with suppress(UpdateFinishedTrialError):
                        trial.set_user_attr(INTERRUPTED, True)
                    give_up(study, self.storage, _frozen(trial))
                    log.shown.close(state_of(_frozen(trial)))
                raise
            except UpdateFinishedTrialError:
                return self._leave(log)
            except _STORAGE_TROUBLE:
                raise  # no fault of the trial's: this worker ends, and the trial is tried again
            except Exception as error:
                return self._fail(log, folder, f"{type(error).__name__}: {error}"[:2000])
            return self._tell(log, folder, TrialState.COMPLETE, values)

    def _train(self, settings: Mapping[str, Any], log: _Log, folder: Path) -> list[float]:
        """Train, and return a value for every objective."""
        best = self.train(settings, log=log, checkpoint_folder=folder)
        log.trained()
        values = [log.cpu_seconds() if o == COST else best[o] for o in self.facts.objectives]
        if any(math.isnan(value) for value in values):
            raise FloatingPointError("the training diverged: its validation is no number")
        log.shown.select(best)
        return values

    def _tell(
        self, log: _Log, folder: Path, state: TrialState, values: list[float] | None = None
    ) -> bool:
        with _undisturbed():
            try:
                log.trial.study.tell(log.trial, values, state)
            except (ValueError, UpdateFinishedTrialError):
                return self._leave(log)
            log.shown.close(state_of(_frozen(log.trial)), log.overhead())
            shutil.rmtree(folder, ignore_errors=True)
            return True

    def _leave(self, log: _Log) -> bool:
        """Leave a trial to others, who held this worker for dead and gave it to somebody else."""
        log.shown.close(state_of(_frozen(log.trial)))
        return False

    def _fail(self, log: _Log, folder: Path, error: str) -> bool:
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


@dataclass(frozen=True)
class _Clock:
    """A moment, or the time between two: on the wall, and of this process's processors."""

    wall: float = field(default_factory=time.monotonic)
    cpu: float = field(default_factory=time.process_time)

    def __sub__(self, other: _Clock) -> _Clock:
        return _Clock(self.wall - other.wall, self.cpu - other.cpu)

    def __add__(self, other: _Clock) -> _Clock:
        return _Clock(self.wall + other.wall, self.cpu + other.cpu)


class _Log:
    """Hears of every epoch: tells the pruner and MLflow, and keeps the time."""

    def __init__(self, worker: Worker, trial: Trial, shown: TrialRun, began: _Clock) -> None:
        self.worker, self.trial, self.shown = worker, trial, shown
        self._before = float(trial.user_attrs.get(SECONDS, 0.0))
        self._began, self._train_began = began, _Clock()
        self._train_ended: _Clock | None = None
        self._reporting = _Clock(0.0, 0.0)

    def cpu_seconds(self) -> float:
        """Processor seconds spent on this trial, those of dead attempts included."""
        return self._before + (_Clock() - self._train_began).cpu

    def show(self, shown: TrialRun) -> None:
        """Write to this run from now on; the training begins."""
        self.shown, self._train_began = shown, _Clock()

    def trained(self) -> None:
        """Note that the training is over."""
        self._train_ended = _Clock()

    def overhead(self) -> dict[str, float]:
        """Return what this trial took beside its training: Optuna's and MLflow's part."""
        now = _Clock()
        training = (self._train_ended or now) - self._train_began - self._reporting
        rest = now - self._began - training
        return {"time/overhead_seconds": rest.wall, "time/overhead_cpu_seconds": rest.cpu}

    def __call__(self, metrics: Mapping[str, float], epoch: int) -> None:
        _leave_if_asked()
        began = _Clock()
        try:
            self._report(metrics, epoch)
        finally:
            self._reporting += _Clock() - began

    def _report(self, metrics: Mapping[str, float], epoch: int) -> None:
        self.shown.log(metrics, epoch)
        self.trial.set_user_attr(SECONDS, round(self.cpu_seconds(), 2))
        value = metrics.get(self.worker.facts.metric)
        if value is None or len(self.worker.facts.objectives) > 1:
            return
        self.trial.report(value, epoch)
        # Known points are what everything else is measured against: they run to their end.
        if POINT not in self.trial.user_attrs and self.trial.should_prune():
            raise optuna.TrialPruned


def _frozen(trial: Trial) -> Any:
    return trial.study.get_trials(deepcopy=False)[trial.number]


@contextmanager
def _heartbeat(storage: Any, trial_id: int, seconds: float) -> Iterator[None]:
    """Show signs of life from a thread; and end with the sweep."""
    over = threading.Event()
    storage.record_heartbeat(trial_id)

    def beat() -> None:
        due = time.monotonic() + seconds
        while not over.wait(min(seconds, 2.0)):
            if _orphaned():
                os.kill(os.getpid(), signal.SIGTERM)
                return
            if time.monotonic() >= due:
                due = time.monotonic() + seconds
                try:
                    storage.record_heartbeat(trial_id)
                except _STORAGE_TROUBLE:
                    continue  # the next one may get through before anybody misses it

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _orphaned() -> bool:
    """Whether the sweep that started this process is gone.

    Not ``os.getppid``: workers are children of a fork server, which lives as long as they do. What
    is watched is a pipe that the sweep alone holds open, so that no other process can be mistaken
    for it.
    """
    sweep = multiprocessing.parent_process()
    return sweep is not None and not sweep.is_alive()


class _Stop:
    """Whether this process was asked to end, and whether it may at this moment."""

    asked = False
    n_busy = 0


@contextmanager
def _obeying() -> Iterator[None]:
    """Turn SIGTERM into :class:`Interrupted` while this worker works."""

    def leave(_signal: int, _frame: object) -> None:
        _Stop.asked = True
        if not _Stop.n_busy:
            raise Interrupted

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _Stop.asked = False
    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let SIGTERM wait while something is written down that must be whole."""
    _Stop.n_busy += 1
    try:
        yield
    finally:
        _Stop.n_busy -= 1


def _leave_if_asked() -> None:
    if _Stop.asked:
        raise Interrupted
