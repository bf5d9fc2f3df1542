"""How often which item follows which, within a window: what most floors count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from recdistill.data import Sequences


def count_followers(
    sequences: Sequences, n_items: int, window: int, weight: Callable[[int], float]
) -> torch.Tensor:
    """Sum ``weight(distance)`` over all ordered pairs at most ``window`` steps apart.

    Parameters
    ----------
    sequences : Sequences
    n_items : int
    window : largest distance counted; 1 counts direct followers only
    weight : of a pair at a distance 1..window

    Returns
    -------
    float32 tensor, shape [n_items + 1, n_items + 1]
        Entry ``(a, b)``: the weighted number of times that ``b`` came after ``a``.
    """
    items = sequences.items.astype(np.int64)
    rows = np.repeat(np.arange(len(sequences)), sequences.lengths)
    total = torch.zeros(n_items + 1, n_items + 1)
    for distance in range(1, window + 1):
        together = rows[:-distance] == rows[distance:]
        pairs = items[:-distance][together] * (n_items + 1) + items[distance:][together]
        values = torch.full((len(pairs),), weight(distance))
        total.view(-1).index_add_(0, torch.from_numpy(pairs), values)
    return total


def share_out(votes: torch.Tensor, shrinkage: float, damping: float = 0.0) -> torch.Tensor:
    """Give every item about one vote to share out, in place.

    Rows are divided by their sum plus ``shrinkage``: a rare item, whose followers say less, then
    gives away less than one vote. Columns are then divided by their former sum, relative to the
    mean one's, to the power of ``damping``: popular followers come up everywhere and say less.
    """
    rows, columns = votes.sum(1, keepdim=True), votes.sum(0, keepdim=True)
    votes.div_((rows + shrinkage).clamp_min(1e-9))
    if damping:
        votes.div_((columns / columns.mean()).clamp_min(1e-9) ** damping)
    return votes


def popularity_prior(sequences: Sequences, n_items: int, weight: float = 1.0) -> torch.Tensor:
    """Interactions per item as a share of the most popular item's, times ``weight``.

    Returns
    -------
    float32 tensor, shape [n_items + 1], values in [0, weight]
    """
    counts = np.bincount(sequences.items, minlength=n_items + 1)
    return torch.from_numpy((weight * counts / max(counts.max(), 1)).astype(np.float32))
