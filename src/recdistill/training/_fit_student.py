"""Train a student from settings alone: the one path that baselines and sweeps' trials share."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from recdistill.data import as_read_by, training_counts
from recdistill.errors import UserError
from recdistill.students import (
    StudentConfig,
    StudentRecommender,
    add_text,
    build_student,
    fold_text,
)
from recdistill.training._fit import FitResult, fit
from recdistill.training._touched_rows import loss_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from recdistill.data import PreparedData
    from recdistill.students import SequentialModel
    from recdistill.texts import ItemVectors
    from recdistill.training._recipe import StudentRecipe


@dataclass(frozen=True)
class FittedStudent:
    """A trained student and how its training went."""

    recommender: StudentRecommender
    result: FitResult

    def metrics(self) -> dict[str, float]:
        """Figures to log beside the loop's own."""
        model = self.recommender.model
        return {
            "fit/n_epochs": self.result.n_epochs,
            "fit/best_epoch": self.result.best["epoch"],
            "model/n_parameters": sum(p.numel() for p in model.parameters()),
        }


def fit_student(
    recipe: StudentRecipe,
    data: PreparedData,
    *,
    seed: int,
    vectors: ItemVectors | None = None,
    log: Callable[[Mapping[str, float], int], None] | None = None,
    checkpoint_folder: Path | None = None,
) -> FittedStudent:
    """Train every position, select on validation NDCG@10 of the averaged weights.

    Parameters
    ----------
    recipe : StudentRecipe
    data : PreparedData
        ``data.test`` is never read. A student that reads times gets those of the folder.
    seed : int
    vectors : ItemVectors, optional
        Of the items' texts, for an architecture whose ``item`` has text.
    log : callable, optional
        Receives ``(metrics, epoch)`` once per epoch.
    checkpoint_folder : Path, optional
        A fit that was interrupted here goes on; see ``training.fit``.
    """
    data = as_read_by(recipe.architecture, data)
    n_items = data.catalog.n_items
    student = build_student(recipe.architecture, n_items, seed=seed, train=data.train)
    take_in_text(student, recipe.architecture, vectors, data, seed=seed)
    result = fit(
        student,
        loss_for(recipe, student, np.bincount(data.train.items, minlength=n_items + 1)),
        data,
        recipe.loop,
        log=log,
        checkpoint_folder=checkpoint_folder,
        seed=seed,
        signature=asdict(recipe.architecture) | asdict(recipe.loss) | said_by(vectors),
    )
    return FittedStudent(finished(student, recipe.architecture, vectors, data), result)


def take_in_text(
    student: SequentialModel,
    architecture: StudentConfig,
    vectors: ItemVectors | None,
    data: PreparedData,
    *,
    seed: int,
    started: bool = False,
) -> None:
    """Give an untrained student the items' texts, where its architecture has some.

    Parameters
    ----------
    started : bool
        Its table is a trained one already.

    Raises
    ------
    UserError
        When it needs vectors and there are none, or those of another catalog.
    """
    if architecture.item == "id":
        return
    if vectors is None:
        raise UserError(
            f"student.item={architecture.item} needs vectors of the items' texts: make some with "
            "embed_items and name that run in text_run."
        )
    data.catalog.require(vectors.catalog_digest, "The item vectors")
    met = np.bincount(data.train.items, minlength=data.catalog.n_items + 1) > 0
    regress = started or architecture.item_start == "cooccurrence"
    add_text(student, vectors, architecture.content(), met, regress=regress, seed=seed)


def finished(
    student: SequentialModel,
    architecture: StudentConfig,
    vectors: ItemVectors | None,
    data: PreparedData,
) -> StudentRecommender:
    """Fold a trained student's texts into its one table and bind it to its data."""
    counts = training_counts(data.train, data.catalog.n_items)
    text = fold_text(student, vectors.about if vectors else {}, counts)
    return StudentRecommender(student, architecture, data.catalog.digest, data.split_digest, text)


def said_by(vectors: ItemVectors | None) -> dict[str, str]:
    """Name the texts a fit depends on, for its signature."""
    return {"vectors": vectors.digest()} if vectors else {}
