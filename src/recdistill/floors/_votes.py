"""Who votes for whom: a dense table for small catalogs, a sparse one for large ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recdistill.data import Sequences

Votes: TypeAlias = "torch.Tensor | sparse.csr_array"
"""Float32, shape [n_items + 1, n_items + 1]: entry (a, b) is what item a gives to item b."""

# Up to 8,000 items. Above, where 0.6 to 4 % of the entries are not zero, sparse is smaller and as
# fast; below, dense rows are faster.
_DENSE_BYTES = 256_000_000


def is_dense(n_items: int) -> bool:
    """Say whether a catalog's table of counts is kept dense."""
    return 4 * (n_items + 1) ** 2 <= _DENSE_BYTES


def grown(votes: Votes, n_items: int) -> Votes:
    """Give a table rows and columns of zeros for a larger catalog, which may make it sparse."""
    more = n_items + 1 - votes.shape[0]
    if isinstance(votes, torch.Tensor):
        if is_dense(n_items):
            return F.pad(votes, (0, more, 0, more))
        votes = sparse.csr_array(votes.numpy())
    larger = votes.copy()
    larger.resize((n_items + 1, n_items + 1))
    return larger


def without_remnants(counts: Votes, least: float) -> Votes:
    """Take away what rounding left of counts: whole numbers are whole, and none is below the least.

    Parameters
    ----------
    counts : Votes
        Changed in place.
    least : float
        The smallest count that there is; 1 where all are whole numbers.
    """
    values = counts if isinstance(counts, torch.Tensor) else torch.from_numpy(counts.data)
    if least == 1:
        values.round_()
    values[values < least / 2] = 0
    if not isinstance(counts, torch.Tensor):
        counts.eliminate_zeros()
    return counts


def sum_of_votes(votes: Votes, voters: Sequences, weights: NDArray[np.float32]) -> torch.Tensor:
    """Add up the weighted votes of each row of voters, shape [n_rows, n_items + 1].

    Parameters
    ----------
    votes : Votes
    voters : Sequences
    weights : shape [n_voters], one per entry of ``voters.items``
    """
    items = voters.items.astype(np.int64)
    if isinstance(votes, torch.Tensor):
        return F.embedding_bag(
            torch.from_numpy(items),
            votes,
            torch.from_numpy(voters.offsets[:-1]),
            mode="sum",
            per_sample_weights=torch.from_numpy(weights),
        )
    shape = (len(voters), votes.shape[0])
    chosen = sparse.csr_array((weights, items, voters.offsets), shape=shape)
    return torch.from_numpy((chosen @ votes).toarray())
