"""Train a student from settings alone: the one path that baselines and sweeps' trials share."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from recdistill.students._config import StudentConfig, build_student
from recdistill.students._recommender import StudentRecommender
from recdistill.training import FitConfig, FitResult, LossConfig, build_loss, fit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from recdistill.data import PreparedData


@dataclass(frozen=True)
class StudentRecipe:
    """All that decides a student's training but the data and the seed."""

    architecture: StudentConfig = field(default_factory=StudentConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    loop: FitConfig = field(default_factory=FitConfig)


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
    log: Callable[[Mapping[str, float], int], None] | None = None,
    checkpoint_folder: Path | None = None,
) -> FittedStudent:
    """Train every position, select on validation NDCG@10 of the averaged weights.

    Parameters
    ----------
    recipe : StudentRecipe
    data : PreparedData
        ``data.test`` is never read.
    seed : int
    log : callable, optional
        Receives ``(metrics, epoch)`` once per epoch.
    checkpoint_folder : Path, optional
        A fit that was interrupted here goes on; see ``training.fit``.
    """
    n_items = data.catalog.n_items
    student = build_student(recipe.architecture, n_items, seed=seed, train=data.train)
    result = fit(
        student,
        build_loss(recipe.loss, np.bincount(data.train.items, minlength=n_items + 1)),
        data,
        recipe.loop,
        log=log,
        checkpoint_folder=checkpoint_folder,
        seed=seed,
        signature=asdict(recipe.architecture) | asdict(recipe.loss),
    )
    trained = StudentRecommender(
        student, recipe.architecture, data.catalog.digest, data.split_digest
    )
    return FittedStudent(trained, result)
