"""The best items of many rows of scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

_BLOCK = 32


def best_items(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the ``k`` highest scores of every row and where they stand, the highest first.

    They lie in the ``k`` blocks of columns with the highest maxima. To look there alone pays where
    that leaves most of the columns out.

    Parameters
    ----------
    scores : float tensor, shape [n, n_columns]
    k : int
        No more than there are columns.

    Returns
    -------
    scores : float tensor, shape [n, k]
    columns : int64 tensor, shape [n, k]
        Among equal scores, any.
    """
    n, n_columns = scores.shape
    n_blocks = n_columns // _BLOCK
    if n_blocks < 6 * k:
        found = scores.topk(k, 1)
        return found.values, found.indices
    whole = scores[:, : n_blocks * _BLOCK].view(n, n_blocks, _BLOCK)
    blocks = whole.amax(2).topk(k, 1, sorted=False).indices  # [n, k]
    best = whole.gather(1, blocks[:, :, None].expand(-1, -1, _BLOCK)).flatten(1)
    found = torch.cat([best, scores[:, n_blocks * _BLOCK :]], 1).topk(k, 1)
    place = found.indices
    inside = place < k * _BLOCK
    block = blocks.gather(1, torch.where(inside, place // _BLOCK, 0))
    rest = place + (n_blocks - k) * _BLOCK
    return found.values, torch.where(inside, block * _BLOCK + place % _BLOCK, rest)
