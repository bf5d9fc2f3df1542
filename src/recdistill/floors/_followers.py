"""How often which item follows which, within a window: what most floors count."""

from __future__ import annotations

from operator import imul, itruediv
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import sparse

from recdistill.floors._votes import is_dense

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from recdistill.data import Sequences
    from recdistill.floors._floor import Totals
    from recdistill.floors._votes import Votes

_INTERACTIONS_AT_A_TIME = 4_000_000


def count_followers(
    sequences: Sequences, n_items: int, window: int, weight: Callable[[int], float]
) -> Votes:
    """Sum ``weight(distance)`` over all ordered pairs at most ``window`` steps apart.

    Parameters
    ----------
    sequences : Sequences
    n_items : int
    window : largest distance counted; 1 counts direct followers only
    weight : of a pair at a distance 1..window

    Returns
    -------
    Votes, shape [n_items + 1, n_items + 1], sparse for a large catalog
        Entry ``(a, b)``: the weighted number of times that ``b`` came after ``a``.
    """
    if is_dense(n_items):
        total = torch.zeros(n_items + 1, n_items + 1)
        for before, after, value in _pairs(sequences, window, weight):
            values = torch.full((len(before),), value)
            total.view(-1).index_add_(0, torch.from_numpy(before * (n_items + 1) + after), values)
        return total
    shape = (n_items + 1, n_items + 1)
    counted = sparse.csr_array(shape, dtype=np.float32)
    for start, stop in _blocks(sequences.lengths):
        part = sequences.take(np.arange(start, stop))
        for before, after, value in _pairs(part, window, weight):
            weights = np.full(len(before), value, np.float32)
            counted = counted + sparse.coo_array((weights, (before, after)), shape=shape).tocsr()
    return counted


def _pairs(
    sequences: Sequences, window: int, weight: Callable[[int], float]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], float]]:
    """Yield the ordered pairs of every distance with their weight."""
    items = sequences.items.astype(np.int64)
    rows = np.repeat(np.arange(len(sequences)), sequences.lengths)
    for distance in range(1, window + 1):
        together = rows[:-distance] == rows[distance:]
        yield items[:-distance][together], items[distance:][together], weight(distance)


def _blocks(lengths: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Cut users into runs of some millions of interactions, which bounds the pairs in memory."""
    block = (np.cumsum(lengths) - 1) // _INTERACTIONS_AT_A_TIME
    starts = np.flatnonzero(np.diff(block, prepend=-1))
    stops = [*starts[1:].tolist(), len(lengths)][: len(starts)]  # none of no users
    yield from zip(starts.tolist(), stops, strict=True)


def share_out(
    followers: Votes, shrinkage: float, damping: float
) -> tuple[Votes, dict[str, torch.Tensor]]:
    """Give every item about one vote to share out, in place.

    Rows are divided by their sum plus ``shrinkage``: a rare item, whose followers say less, then
    gives away less than one vote. Columns are then divided by their former sum, relative to the
    mean one's, to the power of ``damping``: popular followers come up everywhere and say less.

    Returns
    -------
    Votes, and the sums ``given`` (by row) and ``received`` (by column) for `gathered`
    """
    if isinstance(followers, torch.Tensor):
        given, received = followers.sum(1), followers.sum(0)
    else:
        given, received = (torch.from_numpy(followers.sum(axis)) for axis in (1, 0))
    sums = {"given": given, "received": received}
    _scale(followers, itruediv, *_divisors(given, received, shrinkage, damping))
    return followers, sums


def gathered(votes: Votes, totals: Totals, shrinkage: float, damping: float) -> Votes:
    """Undo `share_out`, up to the rounding of float32."""
    if totals.given is None or totals.received is None:
        raise ValueError("votes that were shared out come back with their sums alone")
    counts = votes.clone() if isinstance(votes, torch.Tensor) else votes.copy()
    _scale(counts, imul, *_divisors(totals.given, totals.received, shrinkage, damping))
    return counts


def _divisors(
    given: torch.Tensor, received: torch.Tensor, shrinkage: float, damping: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """By row and by column, both of shape [n_items + 1]."""
    mean = received.mean().clamp_min(1e-9)
    return (given + shrinkage).clamp_min(1e-9), (received / mean).clamp_min(1e-9) ** damping


def _scale(
    table: Votes,
    by: Callable[[Any, Any], Any],
    by_row: torch.Tensor,
    by_column: torch.Tensor,
) -> None:
    """Multiply or divide every row and every column, in place."""
    if isinstance(table, torch.Tensor):
        by(by(table, by_row[:, None]), by_column)
        return
    by(table.data, np.repeat(by_row.numpy(), np.diff(table.indptr)))
    by(table.data, by_column.numpy()[table.indices])


def popularity_prior(sequences: Sequences, n_items: int, weight: float = 1.0) -> torch.Tensor:
    """Interactions per item as a share of the most popular item's, times ``weight``.

    Returns
    -------
    float32 tensor, shape [n_items + 1], values in [0, weight]
    """
    counts = np.bincount(sequences.items, minlength=n_items + 1)
    return torch.from_numpy((weight * counts / max(counts.max(), 1)).astype(np.float32))
