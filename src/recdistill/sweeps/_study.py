"""A study and everything a worker anywhere must know of it."""

from __future__ import annotations

import hashlib
import json
import warnings
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import optuna
from optuna.study import StudyDirection

from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna import Study
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

_SPEC, _HALTED, _PARENT = "recdistill", "halted", "mlflow_parent_run_id"
COST = "cost"
DATA = "study/data"
"""Artifact of the sweep's run that holds the prepared data, for workers on other machines."""
_BESIDE = {"use_cache", "preset", "data_path"}
_WORDS = {
    "catalog_digest": "another catalog",
    "split_digest": "another split of the data",
    "baseline": "another baseline",
    "tables": "other teacher tables",
    "stage": "another stage",
    "space": "another search space",
    "settings": "other settings of the stage",
    "objectives": "other objectives",
    "code": "other code or libraries",
}


@dataclass(frozen=True)
class StudySpec:
    """What a study is about; kept in its storage, so that a worker needs no other file.

    Attributes
    ----------
    stage : the entry point whose training a trial is
    settings : that stage's settings, resolved; trials change the knobs only
    space : the search space as plain values
    objectives : names of what is optimised, ``val/...`` upwards, ``cost`` downwards
    seed : of the search; the training seed is in ``settings``
    catalog_digest, split_digest : of the data
    dataset, split : names of the data
    baseline : run id of the baseline
    tables : run ids of the teacher tables with their asked weights, as ``teacher_run`` takes them
    references : validation metrics of ``baseline`` and ``teacher``
    sampler, pruner, n_startup : how the search goes
    heartbeat_seconds : between two signs of life of a worker
    code : digest of all that its trials run; empty for a study of before
    """

    stage: str
    settings: dict[str, Any]
    space: dict[str, Any]
    objectives: list[str]
    seed: int
    catalog_digest: str
    split_digest: str
    dataset: str
    split: str
    baseline: str
    tables: str = ""
    teachers: str = ""
    references: dict[str, dict[str, float]] = field(default_factory=dict)
    sampler: Literal["tpe", "random"] = "tpe"
    pruner: Literal["median", "hyperband", "none"] = "median"
    n_startup: int = 8
    heartbeat_seconds: int = 20
    code: str = ""

    def name(self) -> str:
        """Name the study by its content: the same question again is the same study."""
        text = json.dumps(
            self.about() | {"seed": self.seed, "sampler": self.sampler}, sort_keys=True
        )
        key = hashlib.sha256(text.encode()).hexdigest()[:8]
        return f"{self.stage}-{self.dataset}-{key}"

    def about(self) -> dict[str, Any]:
        """Return what must be equal for two studies to ask the same question."""
        own = {name: getattr(self, name) for name in _WORDS}
        own["settings"] = {k: v for k, v in self.settings.items() if k not in _BESIDE}
        return own

    @property
    def metric(self) -> str:
        """The validation metric that the search maximises and the pruner watches."""
        return self.objectives[0]

    def sampler_for(self, trial: FrozenTrial) -> BaseSampler:
        """Make the sampler of one trial.

        Seeded by the trial, not by the worker: whoever takes trial 7 draws the same numbers, and a
        worker that was replaced does not draw its predecessor's again.
        """
        draw = np.random.SeedSequence([self.seed, trial.number]).generate_state(1)[0]
        if self.sampler == "random":
            return optuna.samplers.RandomSampler(seed=int(draw))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.samplers.TPESampler(
                n_startup_trials=self.n_startup,
                multivariate=True,
                group=True,
                constant_liar=True,
                seed=int(draw),
            )

    def make_pruner(self) -> BasePruner:
        """Make the pruner; several objectives cannot be pruned."""
        if self.pruner == "none" or len(self.objectives) > 1:
            return optuna.pruners.NopPruner()
        if self.pruner == "hyperband":
            return optuna.pruners.HyperbandPruner()
        return optuna.pruners.MedianPruner(n_startup_trials=self.n_startup, n_warmup_steps=1)


def create_study(name: str, spec: StudySpec, storage: BaseStorage) -> Study:
    """Create the study, or find it begun.

    Raises
    ------
    UserError
        When a study of that name is about something else: says what differs.
    """
    directions = [
        StudyDirection.MINIMIZE if one == COST else StudyDirection.MAXIMIZE
        for one in spec.objectives
    ]
    try:
        study = optuna.create_study(study_name=name, storage=storage, directions=directions)
    except optuna.exceptions.DuplicatedStudyError:
        study = optuna.load_study(study_name=name, storage=storage)
        before, asked = read_spec(study).about(), spec.about()
        for key, words in _WORDS.items():
            if before[key] != asked[key]:
                raise UserError(
                    f"Study '{name}' is about {words} ({key}: {_short(before[key])}, asked for is "
                    f"{_short(asked[key])}): give this sweep another name with study=..., or leave "
                    "study out and it gets one of its own."
                ) from None
        return study
    study.set_user_attr(_SPEC, asdict(spec))
    return study


def load_study(name: str, storage: BaseStorage) -> tuple[Study, StudySpec]:
    """Load a study that somebody created, with what it is about.

    Raises
    ------
    UserError
        When there is none of this name, naming those there are.
    """
    try:
        study = optuna.load_study(study_name=name, storage=storage)
    except KeyError:
        known = ", ".join(study_names(storage)[-5:]) or "none yet"
        raise UserError(f"There is no study '{name}' in this storage; it has: {known}.") from None
    return study, read_spec(study)


def study_names(storage: BaseStorage) -> list[str]:
    """Return the names of the studies that sweeps made, oldest first."""
    ours = [s for s in storage.get_all_studies() if _SPEC in s.user_attrs]
    return [study.study_name for study in sorted(ours, key=lambda s: s._study_id)]


def read_spec(study: Study) -> StudySpec:
    """Read what a study is about.

    Raises
    ------
    UserError
        When no sweep made this study.
    """
    found: Mapping[str, Any] | None = study.user_attrs.get(_SPEC)
    if found is None:
        raise UserError(
            f"Study '{study.study_name}' was not made by a sweep of this project; choose another "
            "name with study=..."
        )
    known = {f.name for f in fields(StudySpec)}
    return StudySpec(**{name: value for name, value in found.items() if name in known})


def require_code(study: Study, code: str) -> None:
    """Refuse to add trials of other code to a study: they would not be comparable.

    Raises
    ------
    UserError
        When the study's trials run other code than ``code``.
    """
    theirs = read_spec(study).code
    if theirs and theirs != code:
        raise UserError(
            f"Study '{study.study_name}' runs code {theirs} and this machine has {code}: check out "
            "the same commit and install the same libraries (make install) on both."
        )


def parent_run(study: Study) -> str:
    """Return the id of the MLflow run that the trials are children of; empty when there is none."""
    return str(study.user_attrs.get(_PARENT, ""))


def set_parent_run(study: Study, run_id: str) -> None:
    """Remember the MLflow run that the trials are children of."""
    study.set_user_attr(_PARENT, run_id)


def halt(study: Study, reason: str) -> None:
    """Tell every worker of the study to stop, and why; an empty reason lets them work again."""
    study.set_user_attr(_HALTED, reason)


def halted(study: Study) -> str:
    """Return why the workers should stop; empty when they should not."""
    return str(study.user_attrs.get(_HALTED, ""))


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
