"""A model's scores for users it never saw: one refit per fold of users."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from recdistill.evaluation import PositionScores
from recdistill.lessons._folds import user_folds
from recdistill.lessons._positions import score_positions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from recdistill.data import PreparedData
    from recdistill.evaluation import Recommender


def out_of_fold_scores(
    refit: Callable[[PreparedData, int], Recommender],
    data: PreparedData,
    *,
    n_folds: int,
    seed: int = 0,
) -> Iterator[PositionScores]:
    """Score every training position by a model that was fitted without its user.

    A model that was trained on the very targets it is asked for repeats some of them.

    Parameters
    ----------
    refit : callable
        Fits the model on the training part of the data it receives; the second argument is the
        fold, from 0. Called once per fold, when its scores are asked for.
    data : PreparedData
    n_folds, seed : how users are dealt to folds

    Yields
    ------
    PositionScores
        Every position but each user's first, exactly once.
    """
    folds = user_folds(len(data.train), n_folds, seed)
    for fold in range(n_folds):
        others = replace(data, train=data.train.take(np.flatnonzero(folds != fold)))
        model = refit(others, fold)
        held_out = np.flatnonzero(folds == fold)
        asked = data.train.take(held_out)
        for part in score_positions(model, asked, data.catalog.n_items):
            yield PositionScores(held_out[part.users], part.positions, part.scores)
