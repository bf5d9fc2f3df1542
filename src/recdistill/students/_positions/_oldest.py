"""Learned positions counted from the oldest item read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from recdistill.students._positions._scheme import PositionScheme

if TYPE_CHECKING:
    from torch import Tensor


class FromOldest(PositionScheme):
    """Add a learned vector per position to the inputs; position 0 is the oldest item read.

    Parameters
    ----------
    dim, max_length : int
    """

    def __init__(self, dim: int, max_length: int) -> None:
        super().__init__()
        self.vectors = nn.Embedding(max_length, dim)

    def place(self, x: Tensor) -> Tensor:
        """See ``PositionScheme``."""
        return x + self.vectors.weight[: x.shape[1]]
