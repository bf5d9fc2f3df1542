"""Scores for training positions from models that never saw the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from recdistill.errors import UserError
from recdistill.evaluation import PositionScores
from recdistill.floors._fit import FloorConfig, fit_floor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from recdistill.data import Catalog, Sequences


def user_folds(n_users: int, n_folds: int, seed: int) -> NDArray[np.int64]:
    """Fold of each user, shape [n_users]: sizes differ by one at most.

    Raises
    ------
    UserError
        Unless there are at least two folds and no more folds than users.
    """
    if not 2 <= n_folds <= n_users:
        raise UserError(
            f"Cross-fitting {n_users} users takes between 2 and {n_users} folds, not {n_folds}."
        )
    return np.random.default_rng(seed).permutation(np.arange(n_users) % n_folds)


def cross_fitted_scores(
    kind: str,
    config: FloorConfig | None,
    train: Sequences,
    catalog: Catalog,
    *,
    n_folds: int = 5,
    seed: int = 0,
    batch_positions: int = 4096,
) -> Iterator[PositionScores]:
    """Score every training position by a floor fitted without that user's fold.

    A floor fitted on all users has counted the very target it is asked for; as a teacher it would
    repeat the labels. Every (user, position) comes exactly once, position 0 (scored by the prior
    alone) included, users of one fold together.

    Parameters
    ----------
    kind, config : as for `fit_floor`
    train : Sequences of n_users rows
    catalog : Catalog
    n_folds, seed : how users are dealt to folds
    batch_positions : int
        Whole users are packed up to about this many positions; a longer user comes alone.

    Yields
    ------
    PositionScores
    """
    folds = user_folds(len(train), n_folds, seed)
    for fold in range(n_folds):
        model = fit_floor(kind, train.take(np.flatnonzero(folds != fold)), catalog, config)
        held_out = np.flatnonzero((folds == fold) & (train.lengths > 0))
        batch = (np.cumsum(train.lengths[held_out]) - 1) // batch_positions
        for users in np.split(held_out, np.flatnonzero(np.diff(batch)) + 1):
            if len(users) == 0:
                continue
            lengths = train.lengths[users]
            scores = torch.cat([model.score_prefixes(train.row(u)) for u in users])
            ends = np.cumsum(lengths)
            positions = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
            yield PositionScores(np.repeat(users, lengths), positions, scores)
