"""Item vectors from counting, for a student's table to start from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import svds

from recdistill.students._subspace import largest_eigenvectors

if TYPE_CHECKING:
    from torch import Tensor

    from recdistill.data import Sequences

# Lanczos goes over the matrix hundreds of times: at 200,000 items it had not ended after 420 s.
_LANCZOS_UP_TO = 20_000


def cooccurrence_vectors(
    train: Sequences, n_items: int, dim: int, *, window: int = 10, std: float = 0.02
) -> Tensor:
    """Factorise how much more often items meet than chance would have them.

    Items at most ``window`` steps apart in a history meet with weight 1/distance. The positive
    pointwise mutual information of the meetings is factorised by a truncated SVD, as word vectors
    are (Levy & Goldberg 2014); beyond 20,000 items it is approximate (``largest_eigenvectors``).
    Learning to predict the next item spends its first epochs finding just this geometry; starting
    from it takes a second or two and saves them.

    Parameters
    ----------
    train : Sequences
        Training histories; nothing else may be counted.
    n_items, dim : int
    window : int
    std : float
        Standard deviation of the result, that of the random start it stands for.

    Returns
    -------
    float32 tensor, shape [n_items + 1, dim], row 0 zero
        An item without meetings has a zero vector.
    """
    met = meetings(train, n_items, window)
    totals = np.asarray(met.sum(1)).ravel()  # [n_items + 1]
    pairs = met.tocoo()
    expected = totals[pairs.row] * totals[pairs.col] / max(totals.sum(), 1.0)
    information = np.log(np.maximum(pairs.data / np.maximum(expected, 1e-12), 1.0))
    matrix = sparse.csr_matrix((information, (pairs.row, pairs.col)), shape=pairs.shape)
    rank = min(dim, n_items)
    if n_items > _LANCZOS_UP_TO:
        left, values = largest_eigenvectors(matrix, rank)
    else:
        start = np.random.default_rng(0).standard_normal(n_items + 1)  # makes it repeatable
        left, values, _ = svds(matrix, k=rank, v0=start)
    vectors = np.zeros((n_items + 1, dim), np.float32)
    vectors[:, :rank] = left * np.sqrt(values)
    vectors[totals == 0] = 0
    spread = float(vectors[1:].std())
    return torch.from_numpy(vectors * np.float32(std / spread if spread > 0 else 0.0))


def meetings(train: Sequences, n_items: int, window: int) -> sparse.csr_matrix:
    """Sum 1/distance over all pairs of items at most ``window`` steps apart, in both directions."""
    items = train.items.astype(np.int64)
    rows = np.repeat(np.arange(len(train)), train.lengths)
    total = sparse.csr_matrix((n_items + 1, n_items + 1))
    for distance in range(1, min(window, len(items) - 1) + 1):
        same = rows[distance:] == rows[:-distance]
        earlier, later = items[:-distance][same], items[distance:][same]
        weights = np.full(len(earlier), 1 / distance)
        total += sparse.csr_matrix((weights, (earlier, later)), shape=total.shape)
    return total + total.T
