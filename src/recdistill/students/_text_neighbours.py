"""Rows for items without interactions: from those of the items whose texts are most like theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import normalize

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

_NEIGHBOURS = 10
# Power of the cosine by which a neighbour counts: the nearest ones nearly alone.
_SHARPNESS = 8
_MOST_NUMBERS = 2**24  # of cosines, or of neighbours' rows, at once
# Share of the trained items that count as taken by few.
_FEW = 0.1


def rows_of_neighbours(table: Tensor, texts: Tensor, new_texts: Tensor, length: float) -> Tensor:
    """Place items among trained ones by their texts.

    In the direction of the weighted mean of the rows of the ten items with the nearest texts: a
    regression of rows on texts, linear as it is, points far less well (docs/research/language.md).
    A mean of rows is too short to be ranked anywhere, so all get one length.

    Parameters
    ----------
    table : float tensor, shape [n_trained, dim]
        Rows that training made.
    texts : float tensor, shape [n_trained, text_dim]
        Vectors of these items' texts, of any length; zeros for an item without a text.
    new_texts : float tensor, shape [n_new, text_dim]
    length : float
        See `length_of_few`.

    Returns
    -------
    float tensor, shape [n_new, dim]; zeros for an item like no other.
    """
    known, wanted = normalize(texts.to(table), dim=1), normalize(new_texts.to(table), dim=1)
    n_neighbours, found = min(_NEIGHBOURS, len(table)), [table[:0]]
    of_one = max(1, len(table), n_neighbours * table.shape[1])
    for part in torch.split(wanted, max(1, _MOST_NUMBERS // of_one)):
        cosine, nearest = (part @ known.T).topk(n_neighbours, dim=1)  # [part, neighbours]
        # As shares of the nearest one: powers of small cosines alone would vanish.
        nearest_one = cosine[:, :1].clamp(min=1e-12)
        weight = (cosine.clamp(min=0) / nearest_one) ** _SHARPNESS
        mean = (weight[:, :, None] * table[nearest]).sum(1)  # [part, dim]
        # Of a mean of nothing like it, no direction.
        found.append(normalize(mean, dim=1) * length * (cosine[:, :1] > 0))
    return torch.cat(found)


def length_of_few(table: Tensor, counts: NDArray[np.integer]) -> float:
    """Return the median length of the rows of those items that the fewest have taken.

    Among these a new item is at home: much taken items' rows are of another length.

    Parameters
    ----------
    table : float tensor, shape [n_items + 1, dim]
    counts : int array, shape [n_items + 1]
        Training interactions.
    """
    few = (counts > 0) & (counts <= np.quantile(counts[counts > 0], _FEW))
    few[0] = False
    return float(table[torch.from_numpy(few)].norm(dim=1).median())
