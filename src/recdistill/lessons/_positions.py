"""A model's scores at every position of histories, whatever kind of model it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import torch

from recdistill.data import Sequences
from recdistill.evaluation import PositionScores
from recdistill.floors import Floor
from recdistill.students import StudentRecommender

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from recdistill.evaluation import Recommender


@runtime_checkable
class ScoresPositions(Protocol):
    """A causal model that scores every position of a history in one forward."""

    def score_positions(self, histories: Sequences) -> Iterable[PositionScores]:
        """Score every position but the first of every row, from the items before it."""
        ...


def score_positions(
    model: Recommender, histories: Sequences, n_items: int
) -> Iterator[PositionScores]:
    """Score every position of every row but its first, from the items before it.

    Parameters
    ----------
    model : Recommender
    histories : Sequences
    n_items : int
        Of the catalog.

    Yields
    ------
    PositionScores
        ``users`` are rows of ``histories``; at most some 16 MB of scores at a time.
    """
    if isinstance(model, ScoresPositions):
        yield from model.score_positions(histories)
        return
    for rows in _few(histories.lengths, n_items):
        few = histories.take(rows)
        scores = score_every_position(model, few)
        row, position = few.keys()
        asked = position > 0
        yield PositionScores(rows[row][asked], position[asked], scores[torch.from_numpy(asked)])


@torch.no_grad()
def score_every_position(model: Recommender, histories: Sequences) -> Tensor:
    """Score the catalog before every item of every row, shape [n_interactions, n_items + 1].

    Row ``offsets[r] + p`` is what the model says after the first ``p`` items of row ``r``. What a
    network says before the first item is not defined and comes out as zeros.

    A student reads windows, as it was trained, and not one prefix after the other. That is what it
    says when serving, but for histories longer than it reads.

    Parameters
    ----------
    model : Recommender
        What is neither a floor nor a student, and cannot score positions itself, is asked for one
        prefix after the other.
    histories : Sequences
        Few enough that their scores fit into memory, each of two items or more.
    """
    if isinstance(model, PoolsPositions):
        return model.score_every_position(histories)
    if isinstance(model, ScoresPositions):
        return _gathered(model, histories)
    one: Callable[[Any, NDArray[np.int32]], Tensor] = _prefixes
    if isinstance(model, Floor):
        one = _floor_row
    elif isinstance(model, StudentRecommender):
        one = _student_row
    return torch.cat([one(model, histories.row(row)) for row in range(len(histories))])


@runtime_checkable
class PoolsPositions(Protocol):
    """Several models as one, asked together about few histories."""

    def score_every_position(self, histories: Sequences) -> Tensor:
        """See ``score_every_position``."""
        ...


def _gathered(model: ScoresPositions, histories: Sequences) -> Tensor:
    scores = torch.empty(0)
    for part in model.score_positions(histories):
        if not len(scores):
            scores = torch.zeros(len(histories.items), part.scores.shape[1])
        at = torch.from_numpy(histories.offsets[part.users] + part.positions)
        scores[at] = part.scores.float().cpu()
    return scores


def _prefixes(model: Recommender, items: NDArray[np.int32]) -> Tensor:
    return model.score(Sequences.from_lists([items[:n] for n in range(len(items))])).float().cpu()


def _floor_row(model: Floor, items: NDArray[np.int32]) -> Tensor:
    return model.score_prefixes(items)


def _student_row(model: StudentRecommender, items: NDArray[np.int32]) -> Tensor:
    """Read windows that overlap by half, so that every position has at least half a window."""
    network = model.model
    table, length = network.item_table(), network.max_length
    rows = [torch.zeros(1, len(table), device=table.device)]
    row = torch.from_numpy(items[:-1].astype(np.int64))[None].to(table.device)
    done = 0
    while done < row.shape[1]:
        stop = min(done + (length if done == 0 else max(1, length // 2)), row.shape[1])
        states = network.encode(row[:, max(0, stop - length) : stop])[0]  # [window, dim]
        rows.append(states[-(stop - done) :] @ table.T)
        done = stop
    scores = torch.cat(rows)[: len(items)].cpu()
    scores[:, 0] = -torch.inf
    return scores


_SCORES_AT_A_TIME = 4_000_000  # 16 MB of them


def _few(lengths: NDArray[np.int64], n_items: int) -> Iterator[NDArray[np.int64]]:
    """Cut rows into groups whose scores need little memory; rows without a target are left out."""
    rows = np.flatnonzero(lengths > 1)
    lengths = lengths[rows]
    group = np.cumsum(lengths) * n_items // _SCORES_AT_A_TIME
    for start, stop in zip(*_runs(group), strict=True):
        yield rows[start:stop]


def _runs(group: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    return starts, np.append(starts[1:], len(group))
