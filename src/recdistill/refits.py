"""A model fitted anew on other users, by the recipe and the seed that its run was made with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recdistill import floors, teachers, text_runs, training

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from recdistill.data import PreparedData
    from recdistill.evaluation import Recommender
    from recdistill.runs import Run, RunReference
    from recdistill.students import StudentRecommender
    from recdistill.teachers import TeacherRecommender


def refit(
    model: Recommender, made_by: RunReference, run: Run, data: PreparedData, folder: Path
) -> Recommender:
    """Fit a model of the same kind on ``data`` alone; a teacher's baseline is fitted anew too.

    Parameters
    ----------
    model : Recommender
        Of the run ``made_by``.
    made_by : RunReference
    run : Run
        The run that asks; finds what the model was made from.
    data : PreparedData
        Of the same catalog, with other users.
    folder : Path
        Where training can be resumed from.
    """
    if isinstance(model, floors.Floor):
        return floors.refit(model, data.train, data.catalog)
    if isinstance(model, teachers.TeacherRecommender):
        return _refit_teacher(model, made_by, run, data, folder)
    return _refit_student(made_by, run, data, folder)


def _refit_student(
    made_by: RunReference, run: Run, data: PreparedData, folder: Path
) -> StudentRecommender:
    fitted = training.fit_student(
        training.load_recipe(made_by.artifact("model")),
        data,
        seed=int(made_by.tags["seed"]),
        vectors=text_runs.texts_of(made_by, run, data).vectors(data),
        log=_unlogged,
        checkpoint_folder=folder / "student",
    )
    return fitted.recommender


def _refit_teacher(
    teacher: TeacherRecommender, made_by: RunReference, run: Run, data: PreparedData, folder: Path
) -> TeacherRecommender:
    recipe, seed = teachers.load_recipe(made_by.artifact("model")), int(made_by.tags["seed"])
    stood_on = run.find(made_by.tags["baseline_run_id"], "train_baseline", data=data)
    baseline = _refit_student(stood_on, run, data, folder)
    llm = recipe.teacher.load_llm(seed)
    shape = teacher.network.settings
    network = teachers.build_teacher(baseline.model, llm, data.catalog, shape, seed=seed)

    teachers.fit_teacher(
        network,
        data,
        recipe.training,
        checkpoints=folder / "teacher",
        seed=seed,
        n_parts=int(made_by.metrics.get("fit/n_pieces", 1)),  # what the memory asked for then
    )
    return teachers.TeacherRecommender(network, data.catalog.digest)


def _unlogged(_metrics: Mapping[str, float], _step: int) -> None:
    """Drop a refit's own figures: the run that asks is about something else."""
