"""What trains a trial: the training of distill or of train_baseline, on data loaded once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from recdistill.distillation import (
    ask_teachers,
    build_teaching,
    distil_student,
    lessons_given,
    resolve_changes,
)
from recdistill.lessons import NO_TABLE, find_sources, open_teachers
from recdistill.sweeps._settings import with_settings
from recdistill.text_runs import find_texts
from recdistill.training import fit_student, load_recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from recdistill.data import PreparedData
    from recdistill.distillation import DistillSettings
    from recdistill.lessons import Sources
    from recdistill.runs import RunFinder
    from recdistill.students import StudentKind
    from recdistill.sweeps._study import StudySpec
    from recdistill.sweeps._worker import Trainer
    from recdistill.texts import ItemVectors
    from recdistill.training import StudentRecipe


class BaselineSettings(Protocol):
    """What a trial needs of the settings of train_baseline."""

    seed: int
    model: Any

    def recipe(self, kind: StudentKind) -> StudentRecipe:
        """See ``StudentTraining``."""
        ...


def make_trainer(spec: StudySpec, settings: Any, data: PreparedData, runs: RunFinder) -> Trainer:
    """Return the swept stage's training, on data and teachers that are loaded now.

    Parameters
    ----------
    settings : the stage's own settings, which trials change the knobs of
    runs : finds the baseline and the teachers
    """
    if spec.stage == "train_baseline":
        texts = find_texts(settings.text_run, settings.student.item, runs, data)
        return BaselineTrainer(settings, data, texts.vectors(data))
    tables = spec.tables or NO_TABLE
    sources = find_sources(spec.baseline, tables, runs, data, settings.transfer_run)
    return DistillTrainer(settings, data, sources)


class BaselineTrainer:
    """Trials of train_baseline."""

    def __init__(
        self, settings: BaselineSettings, data: PreparedData, vectors: ItemVectors | None
    ) -> None:
        self._settings, self._data, self._vectors = settings, data, vectors

    def __call__(
        self,
        settings: Mapping[str, Any],
        *,
        log: Callable[[Mapping[str, float], int], None],
        checkpoint_folder: Path,
    ) -> Mapping[str, float]:
        """Train as ``train_baseline`` does; see ``Trainer``."""
        config = with_settings(self._settings, settings)
        fitted = fit_student(
            config.recipe(config.model),
            self._data,
            seed=config.seed,
            vectors=self._vectors,
            log=log,
            checkpoint_folder=checkpoint_folder,
        )
        return fitted.result.best


class DistillTrainer:
    """Trials of distill; what the teachers say is read once."""

    def __init__(self, settings: DistillSettings, data: PreparedData, sources: Sources) -> None:
        self._settings, self._data, self._sources = settings, data, sources
        self._teachers = open_teachers(sources, data)
        self._baseline = load_recipe(sources.baseline.artifact("model"))

    def __call__(
        self,
        settings: Mapping[str, Any],
        *,
        log: Callable[[Mapping[str, float], int], None],
        checkpoint_folder: Path,
    ) -> Mapping[str, float]:
        """Train as ``distill`` does; see ``Trainer``."""
        config = with_settings(self._settings, settings)
        said = ask_teachers(config, self._teachers)
        given = lessons_given(config, said, self._baseline, self._data)
        changes = resolve_changes(config, self._baseline, self._data, given)
        fitted = distil_student(
            changes.applied_to(self._baseline),
            build_teaching(config, changes, given, self._sources, self._data),
            self._data,
            seed=config.seed,
            vectors=self._sources.texts.vectors(self._data),
            log=log,
            checkpoint_folder=checkpoint_folder,
        )
        return fitted.result.best
