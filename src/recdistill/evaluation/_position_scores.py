"""A model's scores at positions inside histories, the one form they are handed around in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray


@dataclass(frozen=True)
class PositionScores:
    """Scores at every position of a few users.

    Attributes
    ----------
    users : int64 array, shape [n_positions], rows of the training sequences
    positions : int64 array, shape [n_positions]
        Position ``p`` is the target ``train.row(user)[p]``, scored after the items before it.
    scores : float32 tensor, shape [n_positions, n_items + 1], column 0 -inf, history not masked
    """

    users: NDArray[np.int64]
    positions: NDArray[np.int64]
    scores: torch.Tensor
