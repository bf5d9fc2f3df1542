"""Asking teachers together about every position of many views."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recdistill.evaluation import PositionScores
from recdistill.floors import Floor, user_folds
from recdistill.lessons._top_lists import collect_lessons

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from recdistill.data import PreparedData
    from recdistill.lessons._lessons import Lessons
    from recdistill.lessons._pool import LogLinearPool
    from recdistill.lessons._views import Views

_SCORES_AT_A_TIME = 4_000_000  # 16 MB of them


def label_views(
    pool: LogLinearPool,
    views: Views,
    data: PreparedData,
    *,
    k: int = 30,
    n_folds: int = 20,
    report: Callable[[int, int], None] | None = None,
) -> Lessons:
    """Keep the pool's best items at every position of every view.

    A floor counts the very step that it is asked about, so for each fold of users the floors are
    refitted without them, which costs seconds. Networks are asked as they are: they meet a view
    for the first time, though the items in it are those they were trained on.

    Parameters
    ----------
    pool : LogLinearPool
    views : Views
    data : PreparedData
        Its training part is what the views are of.
    k : int
        Items kept of every list.
    n_folds : int
        Of users, where there is a floor in the pool.
    report : callable, optional
        Receives how many of how many views are done, after each fold.
    """
    parts = _scored(pool, views, data, n_folds, report)
    return collect_lessons(parts, views.sequences, k=k)


def _scored(
    pool: LogLinearPool,
    views: Views,
    data: PreparedData,
    n_folds: int,
    report: Callable[[int, int], None] | None,
) -> Iterator[PositionScores]:
    folds = np.zeros(len(data.train), np.int64)
    if any(isinstance(m, Floor) for m, w in zip(pool.members, pool.weights, strict=True) if w):
        folds = user_folds(len(folds), min(n_folds, len(folds)), 0)
    done = 0
    for fold in range(folds.max() + 1):
        refitted = pool.without(np.flatnonzero(folds == fold), data)
        mine = np.flatnonzero(folds[views.owners] == fold)
        for rows in _few(mine, views.sequences.lengths[mine], data.catalog.n_items):
            asked = views.sequences.take(rows)
            row, position = asked.keys()
            yield PositionScores(rows[row], position, refitted.score_every_position(asked))
        done += len(mine)
        if report:
            report(done, len(views.owners))


def _few(
    rows: NDArray[np.int64], lengths: NDArray[np.int64], n_items: int
) -> Iterator[NDArray[np.int64]]:
    """Cut rows into groups whose scores need little memory; rows without a target are left out."""
    rows, lengths = rows[lengths > 1], lengths[lengths > 1]
    group = np.cumsum(lengths) * n_items // _SCORES_AT_A_TIME
    for start, stop in zip(*_runs(group), strict=True):
        yield rows[start:stop]


def _runs(group: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    return starts, np.append(starts[1:], len(group))
