"""How often which item follows which, within a window: what most floors count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import sparse

from recdistill.floors._votes import is_dense

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from recdistill.data import Sequences
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
    yield from zip(starts.tolist(), [*starts[1:].tolist(), len(lengths)], strict=True)


def share_out(votes: Votes, shrinkage: float, damping: float = 0.0) -> Votes:
    """Give every item about one vote to share out, in place.

    Rows are divided by their sum plus ``shrinkage``: a rare item, whose followers say less, then
    gives away less than one vote. Columns are then divided by their former sum, relative to the
    mean one's, to the power of ``damping``: popular followers come up everywhere and say less.
    """
    if isinstance(votes, torch.Tensor):
        rows, columns = votes.sum(1, keepdim=True), votes.sum(0, keepdim=True)
        votes.div_((rows + shrinkage).clamp_min(1e-9))
        if damping:
            votes.div_((columns / columns.mean()).clamp_min(1e-9) ** damping)
        return votes
    given, received = votes.sum(1), votes.sum(0)
    votes.data /= np.repeat(np.maximum(given + shrinkage, 1e-9), np.diff(votes.indptr))
    if damping:
        votes.data /= np.maximum(received / received.mean(), 1e-9)[votes.indices] ** damping
    return votes


def popularity_prior(sequences: Sequences, n_items: int, weight: float = 1.0) -> torch.Tensor:
    """Interactions per item as a share of the most popular item's, times ``weight``.

    Returns
    -------
    float32 tensor, shape [n_items + 1], values in [0, weight]
    """
    counts = np.bincount(sequences.items, minlength=n_items + 1)
    return torch.from_numpy((weight * counts / max(counts.max(), 1)).astype(np.float32))
