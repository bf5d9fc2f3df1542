"""A model's scores at every position of histories, whatever kind of model it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import torch

from recdistill.data import Sequences
from recdistill.evaluation import PositionScores
from recdistill.floors import Floor
from recdistill.students import StudentRecommender, encode_at, times_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from recdistill.evaluation import Recommender
    from recdistill.students import SequentialModel


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
    if isinstance(model, Floor):
        return model.score_prefixes(histories)
    if isinstance(model, StudentRecommender):
        return _student_positions(model, histories)
    rows = (_prefixes(model, histories.row(row)) for row in range(len(histories)))
    return torch.cat(list(rows))


@runtime_checkable
class PoolsPositions(Protocol):
    """Several models as one, asked together about few histories."""

    def score_every_position(self, histories: Sequences) -> Tensor:
        """See ``score_every_position``; what it returns is the caller's to change."""
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


def _student_positions(model: StudentRecommender, histories: Sequences) -> Tensor:
    """Read windows that overlap by half, so that every position has at least half a window."""
    network = model.model
    table = network.item_table()
    windows = _windows(histories.lengths - 1, network.max_length)
    states = table.new_zeros(len(histories.items), table.shape[1])
    for few in windows.in_blocks():
        at, found = _read(network, histories, few)
        states[at.to(states.device)] = found
    scores = (states @ table.T).cpu()
    scores[:, 0] = -torch.inf
    return scores


def _read(
    network: SequentialModel, histories: Sequences, windows: _Windows
) -> tuple[Tensor, Tensor]:
    """Return the windows' new states, [n, dim], and the rows that they say something about, [n]."""
    starts, lengths = histories.offsets[windows.rows] + windows.starts, windows.lengths
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    source = np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])
    # A window always stops short of its row's newest item, which is asked for when it happens.
    next_at = None if histories.times is None else histories.times[starts + lengths]
    read = histories.picked(source, offsets, next_at)
    times, device = times_of(network, read), network.item_table().device
    items = torch.from_numpy(read.padded().astype(np.int64)).to(device)
    states = encode_at(network, items, times and times.to(device))  # [n_windows, longest, dim]
    row, place = Sequences(source, offsets).keys()
    new = place >= (lengths - windows.n_new)[row]
    # What is said after an item is said before the next.
    return torch.from_numpy(source[new] + 1), states[row[new], place[new]]


@dataclass(frozen=True)
class _Windows:
    """Stretches of rows, arrays of shape [n_windows]; of each the last ``n_new`` states count."""

    rows: NDArray[np.int64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    n_new: NDArray[np.int64]

    def in_blocks(self) -> Iterator[_Windows]:
        """Cut them into blocks of like length, so that padding them costs little."""
        order = np.argsort(self.lengths, kind="stable")
        lengths = self.lengths[order]
        start = 0
        while start < len(order):
            # Lengths rise, so a block of n windows is n times as large as its last.
            n = 1 + np.arange(len(order) - start)
            fits = n * lengths[start:] <= max(_ITEMS_AT_A_TIME, int(lengths[start]))
            stop = start + int(fits.sum())
            block = order[start:stop]
            yield _Windows(
                self.rows[block], self.starts[block], self.lengths[block], self.n_new[block]
            )
            start = stop


def _windows(n_read: NDArray[np.int64], longest: int) -> _Windows:
    """Cover the first ``n_read`` items of every row."""
    found = []
    for row, n in enumerate(n_read.tolist()):
        done = 0
        while done < n:
            stop = min(done + (longest if done == 0 else max(1, longest // 2)), n)
            start = max(0, stop - longest)
            found.append((row, start, stop - start, stop - done))
            done = stop
    return _Windows(*np.array(found, np.int64).reshape(-1, 4).T)


_ITEMS_AT_A_TIME = 8_192
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
    return starts, np.append(starts[1:], len(group))[: len(starts)]
