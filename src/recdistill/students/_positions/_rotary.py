"""Rotary positions: queries and keys turn by their position (Su et al. 2021, arXiv 2104.09864)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from recdistill.students._positions._scheme import PositionScheme

if TYPE_CHECKING:
    from torch import Tensor


class Rotary(PositionScheme):
    """Turn pairs of coordinates by position times a frequency, so products see distances only.

    Equation 34 of the paper. Nothing is learned and the fused attention kernel applies unchanged.
    A pair is one complex number here and its turn one multiplication, which costs a third of what
    sines, cosines and exchanged halves do.

    Parameters
    ----------
    head_dim, max_length : int
        Even width of a head; positions prepared for.
    base : float
        Pair ``i`` of ``head_dim / 2`` turns by ``base ** (-2 i / head_dim)`` radians a step.
    """

    cosines: Tensor
    sines: Tensor

    def __init__(self, head_dim: int, max_length: int, base: float = 10_000.0) -> None:
        super().__init__()
        rates = base ** -(torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim)
        angles = torch.outer(torch.arange(max_length, dtype=torch.float64), rates)
        # Two real tables [max_length, head_dim / 2], which a change of precision may touch.
        self.register_buffer("cosines", angles.cos().float(), persistent=False)
        self.register_buffer("sines", angles.sin().float(), persistent=False)

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """See ``PositionScheme``."""
        turns = self._turns(query.shape[2])
        return super().attend(_turned(query, turns), _turned(key, turns), value)

    def attend_newest(self, query: Tensor, key: Tensor, value: Tensor, lengths: Tensor) -> Tensor:
        """See ``PositionScheme``."""
        turns = self._turns(key.shape[2])  # [length, head_dim / 2]
        newest = turns[lengths - 1][:, None, None]  # [batch, 1, 1, head_dim / 2]
        return super().attend_newest(_turned(query, newest), _turned(key, turns), value, lengths)

    def _turns(self, length: int) -> Tensor:
        return torch.complex(_single(self.cosines[:length]), _single(self.sines[:length]))


def _turned(heads: Tensor, turns: Tensor) -> Tensor:
    """Turn every pair of coordinates of [batch, heads, length, head_dim]."""
    single = _single(heads)
    pairs = torch.view_as_complex(single.view(*single.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * turns).flatten(-2).to(heads.dtype)


def _single(x: Tensor) -> Tensor:
    """Half precision knows no complex numbers."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
