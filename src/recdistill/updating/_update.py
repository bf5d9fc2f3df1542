"""A trained student goes on: its table grows, and it learns what happened since."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from recdistill.distillation import distil_on_views
from recdistill.students import grow_student, new_items
from recdistill.training import FittedStudent, finished, fit, loss_for, said_by, take_in_text
from recdistill.updating._new_rows import fit_new_rows
from recdistill.updating._since import new_counts, since

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from recdistill.data import PreparedData
    from recdistill.lessons import Lessons
    from recdistill.students import NewRows, StudentRecommender
    from recdistill.texts import ItemVectors
    from recdistill.training import StudentRecipe
    from recdistill.updating._config import UpdateConfig
    from recdistill.updating._since import Since


@dataclass(frozen=True)
class Updated:
    """An updated student, and what went into it.

    Attributes
    ----------
    fitted : FittedStudent
    since : Since
    new_rows : NewRows
    share_of_full : float
        Targets trained, over those of training anew for all of the recipe's epochs.
    """

    fitted: FittedStudent
    since: Since
    new_rows: NewRows
    share_of_full: float

    def metrics(self) -> dict[str, float]:
        """Figures to log beside the loop's own."""
        return self.fitted.metrics() | {
            "update/n_new_targets": self.since.n_new,
            "update/replayed_share": self.since.replayed_share,
            "update/share_of_full_targets": self.share_of_full,
            **{f"update/new_items_{name}": count for name, count in vars(self.new_rows).items()},
        }


def update_student(
    student: StudentRecommender,
    recipe: StudentRecipe,
    before: PreparedData,
    now: PreparedData,
    config: UpdateConfig,
    *,
    seed: int,
    vectors: ItemVectors | None = None,
    lessons: Lessons | None = None,
    log: Callable[[Mapping[str, float], int], None] | None = None,
    checkpoint_folder: Path | None = None,
) -> Updated:
    """Train a student on what happened between ``before`` and ``now``, from where it stands.

    The weights go on, the optimizer starts anew and warms up: a finished run keeps no moments. The
    rows of new items are fitted first, alone, to where users took them: the few steps that follow
    could not find them. The epoch is selected on ``now``'s validation.

    Parameters
    ----------
    student : StudentRecommender
        Trained on ``before``.
    recipe : StudentRecipe
        By which it was trained.
    before, now : PreparedData
        One log at two times.
    config : UpdateConfig
    seed : int
    vectors : ItemVectors, optional
        Of ``now``'s texts; needed where the student has text, and places new items in any case.
    lessons : Lessons, optional
        A transfer set of ``now``; the student goes on by distillation on its views, in place of
        the histories, with the terms and weights that ``distil`` has by default.
    log, checkpoint_folder
        See ``training.fit``.

    Raises
    ------
    UserError
        When ``now``'s catalog did not grow from the student's, or nothing happened since.
    """
    if not now.catalog.grew_from(student.catalog_digest, student.model.n_items):
        now.catalog.require(student.catalog_digest, "The student")
    going_on = config.applied_to(recipe)
    fresh = since(before, now, config, seed=seed)
    n_items = now.catalog.n_items
    if vectors is not None:
        now.catalog.require(vectors.catalog_digest, "The item vectors")
    trained = np.bincount(before.train.items, minlength=student.model.n_items + 1) > 0
    model, new_rows = grow_student(
        student.model,
        going_on.architecture,
        n_items,
        now.train,
        trained=trained,
        vectors=vectors,
        seed=seed,
    )
    new = new_items(trained, n_items)
    fit_new_rows(model, now.train, new_counts(before, now), new, seed=seed)
    how: dict[str, Any] = {"seed": seed, "log": log, "checkpoint_folder": checkpoint_folder}
    if lessons is None:
        n_targets = fresh.n_targets
        take_in_text(model, recipe.architecture, vectors, now, seed=seed, started=True)
        result = fit(
            model,
            loss_for(going_on, model, np.bincount(now.train.items, minlength=n_items + 1)),
            replace(now, train=fresh.sequences),
            going_on.loop,
            signature={"from": student.split_digest} | asdict(config) | said_by(vectors),
            **how,
        )
        fitted = FittedStudent(finished(model, recipe.architecture, vectors, now), result)
    else:
        n_targets = lessons.n_targets
        start = model.state_dict()
        how |= {"max_epochs": config.epochs, "start": start, "vectors": vectors}
        fitted = distil_on_views(going_on, lessons, now, **how)
    anew = int(np.maximum(now.train.lengths - 1, 0).sum()) * recipe.loop.max_epochs
    return Updated(fitted, fresh, new_rows, n_targets * fitted.result.n_epochs / anew)
