"""The teacher that needs no language model: several floors, refitted without each user."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from recdistill.evaluation import PositionScores
from recdistill.floors import cross_fitted_scores, fit_floor
from recdistill.lessons._table_pool import pool
from recdistill.lessons._top_lists import collect_lessons

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from recdistill.data import PreparedData
    from recdistill.lessons._lessons import Lessons


def floor_lessons(
    kinds: Sequence[str], data: PreparedData, *, k: int = 10, n_folds: int = 5, seed: int = 0
) -> Lessons:
    """Let cross-fitted floors say what they would have listed at every training position.

    The floors are weighted against each other, and their scores turned into logits, on validation
    (`pool`). Each user's lists come from floors that were fitted without that user, so they are
    no memory of the labels.

    Parameters
    ----------
    kinds : floors, each with its default settings, such as ``["ease", "knn"]``
    data : PreparedData
    k : int
        Items per list.
    n_folds, seed : how users are dealt to folds

    Raises
    ------
    UserError
        For a floor that does not exist.
    """
    members = [fit_floor(kind, data.train, data.catalog) for kind in kinds]
    factors = pool(members, data).factors
    streams = [
        cross_fitted_scores(kind, None, data.train, data.catalog, n_folds=n_folds, seed=seed)
        for kind, factor in zip(kinds, factors, strict=True)
        if factor
    ]
    used = [factor for factor in factors if factor]
    return collect_lessons(_added(streams, used), data.train, k=k)


def _added(
    streams: Sequence[Iterator[PositionScores]], factors: Sequence[float]
) -> Iterator[PositionScores]:
    """Add up the members' scores; all streams bring the same positions in the same order."""
    for parts in zip(*streams, strict=True):
        total = torch.stack([f * p.scores for f, p in zip(factors, parts, strict=True)]).sum(0)
        yield PositionScores(parts[0].users, parts[0].positions, total)
