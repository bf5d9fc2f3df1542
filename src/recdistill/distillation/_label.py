"""Asking teachers together about every position of many views."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from recdistill.distillation._collect import collect_lessons
from recdistill.distillation._positions import score_every_position
from recdistill.distillation._stacking import comparable
from recdistill.distillation._transfer_set import TransferSet
from recdistill.floors import Floor, refit, user_folds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import torch
    from numpy.typing import NDArray

    from recdistill.data import PreparedData, Sequences
    from recdistill.distillation._log_linear_pool import LogLinearPool
    from recdistill.distillation._views import Views
    from recdistill.evaluation import Recommender

_SCORES_AT_A_TIME = 4_000_000  # 16 MB of them


def label_views(
    pool: LogLinearPool,
    views: Views,
    data: PreparedData,
    *,
    k: int = 30,
    n_folds: int = 20,
    report: Callable[[int, int], None] | None = None,
) -> TransferSet:
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
    return TransferSet(views.sequences, collect_lessons(parts, views.sequences, k=k))


def _scored(
    pool: LogLinearPool,
    views: Views,
    data: PreparedData,
    n_folds: int,
    report: Callable[[int, int], None] | None,
) -> Iterator[SimpleNamespace]:
    used = [(m, w) for m, w in zip(pool.members, pool.weights, strict=True) if w]
    n_users = len(data.train)
    folds = np.zeros(n_users, np.int64)
    if any(isinstance(member, Floor) for member, _ in used):
        folds = user_folds(n_users, min(n_folds, n_users), 0)
    done = 0
    for fold in range(folds.max() + 1):
        others = data.train.take(np.flatnonzero(folds != fold))
        members = [
            (refit(m, others, data.catalog) if isinstance(m, Floor) else m, weight)
            for m, weight in used
        ]
        mine = np.flatnonzero(folds[views.owners] == fold)
        for rows in _few(mine, views.sequences.lengths[mine], data.catalog.n_items):
            asked = views.sequences.take(rows)
            row, position = asked.keys()
            yield SimpleNamespace(
                users=rows[row], positions=position, scores=_together(members, asked)
            )
        done += len(mine)
        if report:
            report(done, len(views.owners))


def _together(members: Sequence[tuple[Recommender, float]], asked: Sequences) -> torch.Tensor:
    terms = [w * comparable(m, score_every_position(m, asked)) for m, w in members]
    total = terms[0]
    for term in terms[1:]:
        total += term
    return total


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
