"""Trials as MLflow runs, children of the sweep's run.

This is a copy; Optuna's study is authoritative. What MLflow refuses is left out with one warning,
and :func:`reconcile` adds it later: a trial never fails because its copy could not be written.
"""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from recdistill.runs import process_tags
from recdistill.sweeps._queue import (
    ATTEMPT,
    POINT,
    RETRY_OF,
    RUN_ID,
    State,
    attempt_of,
    state_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlflow import MlflowClient
    from optuna.trial import FrozenTrial, Trial

    from recdistill.sweeps._study import StudySpec

_LOG = logging.getLogger(__name__)
NUMBER, STATE = "trial.number", "state"
STATUS: dict[State, str] = {
    "waiting": "SCHEDULED",
    "running": "RUNNING",
    "complete": "FINISHED",
    "pruned": "KILLED",
    "failed": "FAILED",
    "retried": "KILLED",
    "unwanted": "KILLED",
}
_AGAINST = ("recall_at_10", "ndcg_at_10")


@dataclass
class Mirror:
    """Writes trials of one study as children of one run.

    Attributes
    ----------
    client : of the tracking store
    experiment, parent : ids of the experiment and of the sweep's run in it
    study : name of the study
    spec : what the study is about
    """

    client: MlflowClient
    experiment: str
    parent: str
    study: str
    spec: StudySpec

    def open(self, trial: Trial, settings: Mapping[str, Any]) -> TrialRun:
        """Create the child run of a trial that begins."""
        frozen = trial.study.get_trials(deepcopy=False)[trial.number]
        run_id = ""
        with tolerated(f"trial {trial.number} has no run yet"):
            run_id = self.create(frozen, settings)
            trial.set_user_attr(RUN_ID, run_id)
        return TrialRun(self, run_id)

    def resume(self, trial: FrozenTrial) -> TrialRun:
        """Return the run of a trial that has begun; writes nowhere when there is none."""
        return TrialRun(self, str(trial.user_attrs.get(RUN_ID, "")))

    def create(self, trial: FrozenTrial, settings: Mapping[str, Any]) -> str:
        """Create the child run of a trial and return its id."""
        run = self.client.create_run(
            self.experiment,
            run_name=run_name(trial, settings),
            start_time=_milliseconds(trial.datetime_start),
            tags=self.tags(trial) | process_tags(),
        )
        run_id = str(run.info.run_id)
        params = [Param(f"config.{name}", str(value)) for name, value in settings.items()]
        self.client.log_batch(run_id, params=params)
        return run_id

    def tags(self, trial: FrozenTrial) -> dict[str, str]:
        """Say what a trial's run is, in the words of every other run."""
        spec = self.spec
        known = {
            "mlflow.parentRunId": self.parent,
            "mlflow.source.name": f"projects/{spec.stage}.py",
            "mlflow.source.type": "PROJECT",
            "stage": "trial",
            "study": self.study,
            NUMBER: str(trial.number),
            STATE: state_of(trial),
            "seed": str(spec.settings.get("seed", "")),
            "dataset": spec.dataset,
            "split": spec.split,
            "catalog.digest": spec.catalog_digest,
            "split.digest": spec.split_digest,
            "baseline_run_id": spec.baseline,
            "teacher_run_id": spec.teachers,
        }
        for name in (POINT, RETRY_OF, ATTEMPT):
            if name in trial.user_attrs:
                known[f"trial.{name}"] = str(trial.user_attrs[name])
        return known

    def deltas(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """Differences to baseline and teacher, on validation."""
        return {
            f"delta/val_{metric}_vs_{whom}": difference(
                metrics[f"val/{metric}"], known[f"val/{metric}"]
            )
            for whom, known in self.spec.references.items()
            for metric in _AGAINST
            if f"val/{metric}" in metrics and f"val/{metric}" in known
        }


class TrialRun:
    """One trial's run while it trains; metrics wait here as long as the store does not answer."""

    def __init__(self, mirror: Mirror, run_id: str) -> None:
        self._mirror, self._id = mirror, run_id
        self._waiting: list[Metric] = []
        self._last_epoch = 0

    def log(self, metrics: Mapping[str, float], epoch: int) -> None:
        """Take an epoch's metrics, and add the deltas that follow from them."""
        self._last_epoch = max(epoch, self._last_epoch)
        metrics = {**metrics, **self._mirror.deltas(metrics)}
        now = int(time.time() * 1000)
        self._waiting += [Metric(k, float(f"{v:.7g}"), now, epoch) for k, v in metrics.items()]
        self._write()

    def select(self, best: Mapping[str, float]) -> None:
        """Show the selected epoch's validation as the run's own: MLflow shows the last of each."""
        shown = {name: value for name, value in best.items() if name.startswith("val/")}
        epoch = max(self._last_epoch, int(best["epoch"]))
        self.log(shown | {"fit/best_epoch": best["epoch"]}, epoch)

    def tag(self, tags: Mapping[str, str]) -> None:
        """Set tags."""
        self._write([RunTag(name, value[:5000]) for name, value in tags.items()])

    def close(self, state: State, took: Mapping[str, float] | None = None) -> None:
        """Say how the trial ended, and what it ``took`` beside its training."""
        now = int(time.time() * 1000)
        self._waiting += [Metric(name, value, now, 0) for name, value in (took or {}).items()]
        self._write([RunTag(STATE, state)])
        if self._id:
            with tolerated(f"run {self._id} is not closed"):
                self._mirror.client.set_terminated(self._id, status=STATUS[state])

    def _write(self, tags: list[RunTag] | None = None) -> None:
        if not self._id:
            return
        with tolerated(f"run {self._id} lacks some metrics"):
            self._mirror.client.log_batch(self._id, metrics=self._waiting[:1000], tags=tags or [])
            del self._waiting[:1000]


def difference(value: float, reference: float) -> float:
    """Subtract; what MLflow rounded off the reference must not look like a difference."""
    return round(value - reference, 7) + 0.0  # and no -0.0


def run_name(trial: FrozenTrial, settings: Mapping[str, Any]) -> str:
    """Name a trial's run, what distinguishes it first; the UI shows some twenty letters."""
    if POINT in trial.user_attrs:
        words = str(trial.user_attrs[POINT])
    else:
        words = " ".join(
            f"{name.split('.')[-1].removesuffix('_weight')} {_short(value)}"
            for name, value in settings.items()
            if value
        )
    again = f" (attempt {attempt_of(trial)})" if attempt_of(trial) > 1 else ""
    return f"{trial.number:03d} {words}{again}"[:120]


def _short(value: Any) -> str:
    return f"{value:.2g}" if isinstance(value, float) else str(value)


@contextlib.contextmanager
def tolerated(consequence: str) -> Iterator[None]:
    """Warn instead of failing when the tracking store refuses something, naming the consequence."""
    try:
        yield
    except (MlflowException, OSError) as error:
        reason = str(error).splitlines()[0][:120]
        _LOG.warning("MLflow did not answer (%s); %s until reconcile", reason, consequence)


def _milliseconds(when: Any) -> int | None:
    return int(when.timestamp() * 1000) if when else None
