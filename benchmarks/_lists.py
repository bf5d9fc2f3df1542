"""A pool's lists at the training positions: networks as they are, floors without the user."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from recdistill.data import Sequences
from recdistill.distillation import Lessons, LogLinearPool, collect_lessons, comparable
from recdistill.floors import Floor, fit_floor, user_folds
from recdistill.teachers import TeacherRecommender

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from recdistill.data import PreparedData
    from recdistill.students import StudentRecommender

N_FOLDS = 20
_USERS_AT_A_TIME = 8


def pool_lists(
    pool: LogLinearPool, data: PreparedData, floors: Mapping[str, Any], *, k: int
) -> Lessons:
    """List the pool's best items at every training position.

    A floor counts the very target it is asked for, so floors are refitted without each fold of
    users. A network with dropout, stopped early, remembers little of a million targets.

    Parameters
    ----------
    pool : LogLinearPool
    data : PreparedData
    floors : mapping of kind to its settings
    k : int
    """
    return collect_lessons(_scored(pool, data, floors), data.train, k=k)


def _scored(
    pool: LogLinearPool, data: PreparedData, floors: Mapping[str, Any]
) -> Iterator[SimpleNamespace]:
    train = data.train
    folds = user_folds(len(train), N_FOLDS, 0)
    for fold in range(N_FOLDS):
        others = train.take(np.flatnonzero(folds != fold))
        members = [
            fit_floor(m.kind, others, data.catalog, floors[m.kind]) if isinstance(m, Floor) else m
            for m in pool.members
        ]
        held_out = np.flatnonzero((folds == fold) & (train.lengths > 0))
        for start in range(0, len(held_out), _USERS_AT_A_TIME):
            users = held_out[start : start + _USERS_AT_A_TIME]
            lengths = train.lengths[users]
            yield SimpleNamespace(
                users=np.repeat(users, lengths),
                positions=np.concatenate([np.arange(length) for length in lengths]),
                scores=torch.cat([_pooled(members, pool.weights, train.row(u)) for u in users]),
            )


def _pooled(members: list[object], weights: object, items: NDArray[np.int32]) -> torch.Tensor:
    total = torch.zeros(())
    for member, weight in zip(members, weights, strict=True):  # type: ignore[call-overload]
        if weight:
            total = total + weight * comparable(member, score_positions(member, items))
    return total


@torch.no_grad()
def score_positions(model: StudentRecommender | Floor, items: NDArray[np.int32]) -> torch.Tensor:
    """Score every position of one history from the items before it, shape [length, n_items + 1].

    A network reads windows that overlap by half, so that every position has half a window of
    history where there is as much.
    """
    if isinstance(model, Floor):
        return model.score_prefixes(items)
    if isinstance(model, TeacherRecommender):
        parts = list(model.score_positions(Sequences.from_lists([items])))
        order = np.argsort(np.concatenate([part.positions for part in parts]))
        scores = torch.cat([part.scores.float().cpu() for part in parts])[torch.from_numpy(order)]
        return torch.cat([torch.zeros_like(scores[:1]), scores])
    network = model.model
    table, length = network.item_table(), network.max_length
    rows = [torch.zeros(1, len(table))]
    row = torch.from_numpy(items.astype(np.int64))[None, :-1]
    done = 0
    while done < row.shape[1]:
        end = min(done + (length if done == 0 else length // 2), row.shape[1])
        states = network.encode(row[:, max(0, end - length) : end])[0]
        rows.append(states[-(end - done) :] @ table.T)
        done = end
    scores = torch.cat(rows)
    scores[:, 0] = -torch.inf
    return scores
