"""Dropout that does not wait for the random number generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor


class ByteDropout(nn.Module):
    """Dropout with one random byte per element instead of one full random draw.

    On a CPU the generator, not the arithmetic, is what ``nn.Dropout`` costs: eight elements share
    one 64-bit draw here. The rate is rounded to a multiple of 1/256 and survivors are scaled by
    the rounded rate, so the expectation is exact.

    Parameters
    ----------
    rate : float
        Share of elements set to zero, in [0, 1).
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.threshold = round(rate * 256)
        self.scale = 256 / (256 - self.threshold)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` with elements dropped while training, ``x`` itself otherwise."""
        if not self.training or self.threshold == 0:
            return x
        draws = torch.empty((x.numel() + 7) // 8, dtype=torch.int64, device=x.device)
        # The full 64-bit range: random_() alone leaves the sign bit at zero.
        draws.random_(-(2**63), None)
        drawn = draws.view(torch.uint8)[: x.numel()].view(x.shape)
        # Comparing straight into floats avoids the slow conversion from booleans.
        mask = torch.ge(drawn, self.threshold, out=torch.empty_like(x, requires_grad=False))
        return x * mask.mul_(self.scale)
