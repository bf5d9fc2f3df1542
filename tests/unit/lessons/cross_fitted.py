"""Floors that never saw the user they are asked about: what lessons are made of in these tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recdistill.evaluation import PositionScores
from recdistill.floors import fit_floor
from recdistill.lessons._folds import user_folds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recdistill.data import Catalog, Sequences
    from recdistill.floors import FloorConfig


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
    """Score every training position by a floor fitted without that user's fold."""
    folds = user_folds(len(train), n_folds, seed)
    for fold in range(n_folds):
        model = fit_floor(kind, train.take(np.flatnonzero(folds != fold)), catalog, config)
        held_out = np.flatnonzero((folds == fold) & (train.lengths > 0))
        batch = (np.cumsum(train.lengths[held_out]) - 1) // batch_positions
        for users in np.split(held_out, np.flatnonzero(np.diff(batch)) + 1):
            if len(users) == 0:
                continue
            lengths = train.lengths[users]
            scores = model.score_prefixes(train.take(users))
            ends = np.cumsum(lengths)
            positions = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
            yield PositionScores(np.repeat(users, lengths), positions, scores)
