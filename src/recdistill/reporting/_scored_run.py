"""A run that scored a model on the test cases, as reports read it from MLflow."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlflow.exceptions import MlflowException

from recdistill.errors import UserError
from recdistill.floors import FLOOR_KINDS
from recdistill.runs import RECIPE, STANDS_FOR, RunReference, find_run, search

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

MODEL_STAGES = ("train_baseline", "train_teacher", "make_transfer_set", "distill", "update")
"""Stages that end by scoring a model of their own on the test cases."""

SCORED = "test/recall_at_10"

_NOT_SETTINGS = {"seed", "use_cache", "preset", "data_path"}


@dataclass(frozen=True)
class ScoredRun:
    """A finished run that scored a model on the test cases, read from MLflow.

    Attributes
    ----------
    reference : the run itself, never one that stands for a cached one.
    experiment_id, started, artifact_uri : where it lies; start time in milliseconds.
    settings : its parameters but for the seed; another run it read stands there as a digest of
        that run's own settings, so that two seeds of one distillation are equal in them.
    finished : whether it ended well.
    """

    reference: RunReference
    experiment_id: str
    started: int
    artifact_uri: str
    settings: dict[str, str]
    finished: bool = True

    @property
    def id(self) -> str:
        """The run's id."""
        return self.reference.id

    @property
    def name(self) -> str:
        """The run's readable name."""
        return self.reference.name

    @property
    def stage(self) -> str:
        """Entry point that made it."""
        return self.reference.stage

    @property
    def parent(self) -> str:
        """Id of the run that started it as one of its steps; empty where a user did."""
        return self.reference.tags.get("mlflow.parentRunId", "")

    @property
    def seed(self) -> str:
        """Seed as text; empty when the run names none."""
        tags, params = self.reference.tags, self.reference.params
        return params.get("config.seed", tags.get("seed", ""))

    @property
    def model(self) -> str:
        """What kind of model it is: the ``model`` setting, else the stage's word for it.

        A control did what a student does but for one thing, and is a kind of its own.
        """
        named = {
            "train_teacher": "teacher",
            "make_transfer_set": "teachers together",
            "distill": "distilled student" if self.is_student else f"control {self._control}",
        }
        return self.settings.get("model") or named.get(self.stage, self.name)

    @property
    def is_student(self) -> bool:
        """Whether it learned from teachers; a control did all but that."""
        return self.stage == "distill" and self._control == "none"

    @property
    def _control(self) -> str:
        return self.settings.get("control", "none")

    @property
    def is_floor(self) -> bool:
        """Whether the model is one of the cheap ones that a neural model must beat."""
        return self.model in FLOOR_KINDS

    @property
    def key(self) -> tuple[str, str]:
        """Equal for runs that differ in nothing but their seed."""
        return self.stage, self.reference.tags.get(RECIPE) or digest(self.settings)

    @property
    def protocol(self) -> str:
        """How it was evaluated."""
        return self.reference.tags.get("protocol", "")

    @property
    def data(self) -> tuple[str, str]:
        """Digests of the catalog and the split it worked on."""
        tags = self.reference.tags
        return tags.get("catalog.digest", ""), tags.get("split.digest", "")


def digest(settings: dict[str, str]) -> str:
    """First 8 hex digits of a sha256 over settings."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]


def find_scored_run(client: MlflowClient, name: str) -> ScoredRun:
    """Resolve one id, name or ``latest`` to a run with test metrics.

    Raises
    ------
    UserError
        When there is none, or it is not finished, or it scored nothing.
    """
    found = find_run(client, name, stages=(*MODEL_STAGES, "evaluate"))
    run = read_scored_run(client, found.id)
    if SCORED not in run.reference.metrics:
        raise UserError(
            f"Run '{run.name}' ({run.id}) has no test metrics, so there is nothing to compare."
        )
    return run


def read_scored_run(client: MlflowClient, run_id: str) -> ScoredRun:
    """Read one run, finished or not."""
    return _read(client, client.get_run(run_id), {})


def scored_runs(client: MlflowClient, condition: str) -> list[ScoredRun]:
    """Find runs that met test data, each once: runs that stood for another give way to it.

    Raises
    ------
    MlflowException
        When MLflow does not understand the condition.
    """
    found = list(search(client, [condition]))
    known: dict[str, Run] = {run.info.run_id: run for run in found}
    runs = {}
    for run in found:
        origin = run.data.tags.get(STANDS_FOR)
        if origin:
            run = known.get(origin) or client.get_run(origin)
        if SCORED in run.data.metrics:
            runs[run.info.run_id] = _read(client, run, known)
    return list(runs.values())


def _read(client: MlflowClient, run: Run, known: dict[str, Run]) -> ScoredRun:
    return ScoredRun(
        RunReference.of(run),
        experiment_id=str(run.info.experiment_id),
        started=int(run.info.start_time),
        artifact_uri=str(run.info.artifact_uri),
        settings=_settings(client, run, known),
        finished=run.info.status == "FINISHED",
    )


def _settings(client: MlflowClient, run: Run, known: dict[str, Run]) -> dict[str, str]:
    settings = {}
    for key, value in run.data.params.items():
        name = key.removeprefix("config.")
        if name == key or name in _NOT_SETTINGS:
            continue
        origin = run.data.tags.get(f"{name}_id", "")
        if name.endswith("_run") and origin:
            value = _family(client, origin, known) or value
        settings[name] = value
    return settings


def _family(client: MlflowClient, run_id: str, known: dict[str, Run]) -> str:
    """Name a run by what it is and not by its seed: two seeds of one model are one family."""
    try:
        run = known.get(run_id) or known.setdefault(run_id, client.get_run(run_id))
    except MlflowException:  # removed since
        return ""
    settings = _settings(client, run, known)
    return f"{settings.get('model', run.data.tags.get('stage', 'run'))} {digest(settings)}"
