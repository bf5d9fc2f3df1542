"""Asking teachers together about every position of many views."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recdistill.evaluation import PositionScores
from recdistill.floors import Floor
from recdistill.lessons._folds import user_folds
from recdistill.lessons._positions import score_positions
from recdistill.lessons._top_lists import collect_lessons

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from recdistill.data import PreparedData
    from recdistill.lessons._lessons import Lessons
    from recdistill.lessons._pool import Pool
    from recdistill.lessons._views import Views


def label_views(
    pool: Pool,
    views: Views,
    data: PreparedData,
    *,
    k: int = 30,
    n_folds: int = 20,
    seed: int = 0,
    report: Callable[[int, int], None] | None = None,
    scratch: Path | None = None,
) -> Lessons:
    """Keep the pool's best items at every position of every view.

    A floor counts the very step that it is asked about, so for each fold of users the floors are
    refitted without them, which costs seconds. Networks are asked as they are: they meet a view
    for the first time, though the items in it are those they were trained on.

    Parameters
    ----------
    pool : Pool
    views : Views
    data : PreparedData
        Its training part is what the views are of.
    k : int
        Items kept of every list.
    n_folds, seed : int
        How users are dealt to folds, where there is a floor in the pool.
    report : callable, optional
        Receives how many of how many views are done, after each fold.
    scratch : Path, optional
        A folder that holds the lists in the place of main memory, as long as they are used.
    """
    parts = _scored(pool, views, data, n_folds, seed, report)
    return collect_lessons(parts, views.sequences, k=k, scratch=scratch)


def _scored(
    pool: Pool,
    views: Views,
    data: PreparedData,
    n_folds: int,
    seed: int,
    report: Callable[[int, int], None] | None,
) -> Iterator[PositionScores]:
    folds = np.zeros(len(data.train), np.int64)
    if any(isinstance(m, Floor) for m, w in zip(pool.members, pool.weights, strict=True) if w):
        folds = user_folds(len(folds), min(n_folds, len(folds)), seed)
    done = 0
    for fold in range(folds.max() + 1):
        refitted = pool.without(np.flatnonzero(folds == fold), data)
        mine = np.flatnonzero(folds[views.owners] == fold)
        for part in score_positions(refitted, views.sequences.take(mine), data.catalog.n_items):
            yield PositionScores(mine[part.users], part.positions, part.scores)
        done += len(mine)
        if report:
            report(done, len(views.owners))
