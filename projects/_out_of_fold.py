"""A teacher's scores for users it never saw: one teacher per fold, each fitted on the others.

A teacher that was trained on the very targets it is asked for repeats some of them. For every fold
of users the baseline and then the teacher on it are fitted again on all other users, with the
settings of the runs at hand, and score the fold. That costs ``folds`` trainings.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from projects import train_baseline, train_teacher
from recdistill.config import parse
from recdistill.errors import UserError
from recdistill.evaluation import PositionScores, evaluate
from recdistill.floors import Floor, config_of, cross_fitted_scores, user_folds
from recdistill.lessons import training_scores
from recdistill.teachers import TeacherRecommender, build_teacher, fit_teacher
from recdistill.text_runs import texts_of
from recdistill.training import fit_student

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from recdistill.data import PreparedData
    from recdistill.evaluation import Recommender
    from recdistill.runs import Run, RunReference
    from recdistill.students import StudentKind, StudentRecommender


def out_of_fold_scores(
    model: Recommender, made_by: RunReference, run: Run, data: PreparedData, n_folds: int, seed: int
) -> Iterator[PositionScores]:
    """Score every training position by a model like ``model`` that was fitted without its user.

    Raises
    ------
    UserError
        For a distilled student, whose own teachers would have to be refitted too.
    """
    if isinstance(model, Floor):
        settings = config_of(model)
        yield from cross_fitted_scores(
            model.kind, settings, data.train, data.catalog, n_folds=n_folds, seed=seed
        )
        return
    if made_by.stage == "distill":
        raise UserError(
            f"{made_by.name} is a distilled student: folds={n_folds} would have to refit its "
            "teachers too; export it with folds=0, or name a floor, a baseline or a teacher."
        )
    folds = user_folds(len(data.train), n_folds, seed)
    for fold in range(n_folds):
        others = replace(data, train=data.train.take(np.flatnonzero(folds != fold)))
        print(
            f"export_teacher: fold {fold + 1} of {n_folds}, {len(others.train)} users", flush=True
        )
        folder = Path(run.checkpoint_folder) / f"fold-{fold}"
        if isinstance(model, TeacherRecommender):
            fitted: Recommender = refit_teacher(made_by, run, others, folder)
        else:
            fitted = refit_student(made_by, run, others, folder)
        held_out = np.flatnonzero(folds == fold)
        asked = replace(data, train=data.train.take(held_out))
        for part in training_scores(fitted, asked):
            yield PositionScores(held_out[part.users], part.positions, part.scores)


def refit_student(
    made_by: RunReference, run: Run, data: PreparedData, folder: Path
) -> StudentRecommender:
    """Fit a baseline run's student again, on these users."""
    settings = settings_of(train_baseline.Config, made_by)
    recipe = settings.recipe(cast("StudentKind", settings.model))
    fitted = fit_student(
        recipe,
        data,
        seed=settings.seed,
        vectors=texts_of(made_by, run, data).vectors(data),
        log=unheard,
        checkpoint_folder=folder / "student",
    )
    return fitted.recommender


def refit_teacher(
    made_by: RunReference, run: Run, data: PreparedData, folder: Path
) -> TeacherRecommender:
    """Fit a teacher run's baseline and teacher again, on these users."""
    settings = settings_of(train_teacher.Config, made_by)
    stood_on = run.find(made_by.tags["baseline_run_id"], "train_baseline", data=data)
    baseline = refit_student(stood_on, run, data, folder)
    shape = settings.teacher_settings(baseline.model.max_length)
    llm = settings.load_llm(settings.seed)
    network = build_teacher(baseline.model, llm, data.catalog, shape, seed=settings.seed)

    def validate(model: TeacherRecommender) -> Mapping[str, float]:
        return evaluate(model, data.val, data.catalog, data.train).metrics()

    n_parts = int(made_by.metrics.get("fit/n_pieces", 1))  # what the memory asked for then
    fit_teacher(
        network,
        data,
        settings.training_settings(),
        validate=validate,
        log=unheard,
        checkpoints=folder / "teacher",
        seed=settings.seed,
        n_parts=n_parts,
    )
    return TeacherRecommender(network, data.catalog.digest)


def settings_of(kind: Any, made_by: RunReference) -> Any:
    """Read back the settings of a training run."""
    return parse(kind, made_by.stage, ["--config", str(made_by.artifact("config.yaml"))])


def unheard(_metrics: Mapping[str, float], _step: int) -> None:
    """Drop a fold's own figures: the run is about the table."""
