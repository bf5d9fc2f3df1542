"""A sweep's trials: the training of distill and of train_baseline, on data prepared once."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import mlflow
import torch
from filelock import FileLock
from mlflow import MlflowClient

from projects import distill, train_baseline
from recdistill.config import as_yaml, parse
from recdistill.data import load_prepared
from recdistill.distillation import distil_student
from recdistill.errors import UserError
from recdistill.lessons import NO_TABLE, find_sources, open_teachers
from recdistill.runs import find_run
from recdistill.sweeps import (
    Facts,
    Mirror,
    Worker,
    build_space,
    halt,
    load_study,
    open_storage,
    parent_run,
    setting_types,
    with_settings,
)
from recdistill.text_runs import find_texts
from recdistill.training import fit_student, load_recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from recdistill.data import PreparedData
    from recdistill.lessons import Sources
    from recdistill.students import StudentKind
    from recdistill.sweeps import Trainer
    from recdistill.texts import ItemVectors

STATE = Path(".recdistill")
CONFIGS: dict[str, type] = {"distill": distill.Config, "train_baseline": train_baseline.Config}
DATA = "study/data"
"""Artifact of the sweep's run that holds the prepared data, for workers on other machines."""


def make_worker(
    study_name: str, storage_url: str, tracking_uri: str, n_threads: int, name: str
) -> Worker:
    """Load everything a worker needs from the study and the tracking store, and nothing else.

    Runs inside a worker's process; a mistake that would stop every worker is told to the study.
    """
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    torch.set_num_threads(n_threads)
    mlflow.set_tracking_uri(tracking_uri)
    client = MlflowClient()
    storage = open_storage(storage_url)
    study, facts = load_study(study_name, storage)
    storage = open_storage(storage_url, heartbeat_seconds=facts.heartbeat_seconds)
    try:
        data = fetch_data(client, parent_run(study), facts)
        trainer = make_trainer(client, facts, data)
    except UserError as error:
        halt(study, str(error))
        raise SystemExit(2) from None
    experiment = client.get_run(parent_run(study)).info.experiment_id
    return Worker(
        study_name,
        facts,
        build_space(facts.space, setting_types(CONFIGS[facts.stage]), facts.stage),
        storage,
        trainer,
        Mirror(client, experiment, parent_run(study), study_name, facts),
        name,
        STATE / "checkpoints" / f"study-{study_name}",
    )


def fetch_data(client: MlflowClient, parent: str, facts: Facts) -> PreparedData:
    """Find the prepared data of the study here, or bring it from the sweep's run.

    Raises
    ------
    UserError
        When what came is not what the study is about.
    """
    folder = STATE / "data" / facts.split_digest
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not folder.is_dir():
            partial = folder.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(client.download_artifacts(parent, DATA), partial)
            partial.replace(folder)
    data = load_prepared(folder)
    if data.split_digest != facts.split_digest:
        raise UserError(
            f"{folder} holds data {data.split_digest[:12]}, the study is about "
            f"{facts.split_digest[:12]}: remove that folder."
        )
    return data


def make_trainer(client: MlflowClient, facts: Facts, data: PreparedData) -> Trainer:
    """Return the swept stage's training, on data and teachers that are loaded now."""
    base = base_settings(facts)
    if facts.stage == "train_baseline":
        texts = find_texts(base.text_run, base.student.item, _Finder(client), data)
        return Fitting(base, data, texts.vectors(data))
    finder: Any = _Finder(client)
    tables = facts.tables or NO_TABLE
    sources = find_sources(facts.baseline, tables, finder, data, base.transfer_run)
    return Distilling(base, data, sources)


def base_settings(facts: Facts) -> Any:
    """Read a study's settings of its stage back into their own type."""
    file = STATE / "studies" / f"{facts.name()}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(as_yaml(facts.settings), encoding="utf-8")
    return parse(CONFIGS[facts.stage], facts.stage, ["--config", str(file)])


class Fitting:
    """Trials of train_baseline."""

    def __init__(
        self, base: train_baseline.Config, data: PreparedData, vectors: ItemVectors | None
    ) -> None:
        self._base, self._data, self._vectors = base, data, vectors

    def __call__(
        self,
        settings: Mapping[str, Any],
        *,
        log: Callable[[Mapping[str, float], int], None],
        checkpoint_folder: Path,
    ) -> Mapping[str, float]:
        """Train as ``train_baseline`` does; see ``sweeps.Trainer``."""
        config = with_settings(self._base, settings)
        recipe = config.recipe(cast("StudentKind", config.model))
        fitted = fit_student(
            recipe,
            self._data,
            seed=config.seed,
            vectors=self._vectors,
            log=log,
            checkpoint_folder=checkpoint_folder,
        )
        return fitted.result.best


class Distilling:
    """Trials of distill; what the teachers say is read once."""

    def __init__(self, base: distill.Config, data: PreparedData, sources: Sources) -> None:
        self._base, self._data, self._sources = base, data, sources
        self._teachers = open_teachers(sources, data)
        self._baseline = load_recipe(sources.baseline.artifact("model"))

    def __call__(
        self,
        settings: Mapping[str, Any],
        *,
        log: Callable[[Mapping[str, float], int], None],
        checkpoint_folder: Path,
    ) -> Mapping[str, float]:
        """Train as ``distill`` does; see ``sweeps.Trainer``."""
        config = with_settings(self._base, settings)
        lessons = config.lessons(self._teachers)
        changes = config.changes(self._baseline, self._data, lessons)
        fitted = distil_student(
            changes.applied_to(self._baseline),
            config.teaching(changes, lessons, self._sources, self._data),
            self._data,
            seed=config.seed,
            vectors=self._sources.texts.vectors(self._data),
            log=log,
            checkpoint_folder=checkpoint_folder,
        )
        return fitted.result.best


class _Finder(SimpleNamespace):
    """Finds runs as a ``Run`` does, for a worker that has no run of its own."""

    def __init__(self, client: MlflowClient) -> None:
        super().__init__(client=client)

    def find(self, reference: str, *stages: str, data: PreparedData) -> Any:
        """See ``Run.find``."""
        tags = {"catalog.digest": data.catalog.digest, "split.digest": data.split_digest}
        return find_run(self.client, reference, stages=stages, tags=tags)
