"""Distillation as it is by default, on a transfer set's views."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recdistill.distillation._changes import StudentChanges
from recdistill.distillation._distil_student import Teaching, distil_student

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch import Tensor

    from recdistill.data import PreparedData
    from recdistill.lessons import Lessons
    from recdistill.texts import ItemVectors
    from recdistill.training import FittedStudent, StudentRecipe


def distil_on_views(
    recipe: StudentRecipe,
    lessons: Lessons,
    data: PreparedData,
    *,
    seed: int,
    max_epochs: int | None = None,
    start: Mapping[str, Tensor] | None = None,
    vectors: ItemVectors | None = None,
    log: Callable[[Mapping[str, float], int], None] | None = None,
    checkpoint_folder: Path | None = None,
) -> FittedStudent:
    """Distil with the terms, weights and changes of the recipe that ``distil`` has by default.

    Parameters
    ----------
    recipe : StudentRecipe
        Of a student without lessons.
    lessons : Lessons
        A transfer set of ``data``.
    data : PreparedData
    max_epochs : int, optional
        Over the views; by default ``StudentChanges.effort`` times the recipe's targets.
    start : mapping, optional
        Weights to go on from.
    seed, vectors, log, checkpoint_folder
        See ``training.fit_student``.
    """
    changes = StudentChanges(max_epochs=max_epochs)
    changes = changes.resolved(recipe, data.train, lessons.sequences)
    teaching = Teaching(
        lessons, {"listwise": 1.0}, loss_weight=changes.loss_weight or 1.0, start=start
    )
    return distil_student(
        changes.applied_to(recipe),
        teaching,
        data,
        seed=seed,
        vectors=vectors,
        log=log,
        checkpoint_folder=checkpoint_folder,
    )
