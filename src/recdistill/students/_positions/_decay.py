"""A fixed penalty per step of distance (ALiBi, Press et al. 2022, arXiv 2108.12409)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from recdistill.students._positions._scheme import PositionScheme

if TYPE_CHECKING:
    from torch import Tensor


class Decay(PositionScheme):
    """Lower attention logits in proportion to distance, each head with its own slope."""

    penalty: Tensor

    def __init__(self, n_heads: int, max_length: int) -> None:
        super().__init__()
        slopes = 2.0 ** (-8 * torch.arange(1, n_heads + 1) / n_heads)
        at = torch.arange(max_length)
        distance = at[:, None] - at
        penalty = -slopes[:, None, None] * distance
        penalty = penalty.masked_fill(distance < 0, -torch.inf)  # [heads, length, length]
        self.register_buffer("penalty", penalty, persistent=False)

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """See ``PositionScheme``."""
        length = query.shape[2]
        bias = self.penalty[None, :, :length, :length]
        return F.scaled_dot_product_attention(query, key, value, attn_mask=bias)

    def attend_newest(self, query: Tensor, key: Tensor, value: Tensor, lengths: Tensor) -> Tensor:
        """See ``PositionScheme``."""
        bias = self.penalty[:, lengths - 1, : key.shape[2]].transpose(0, 1)[:, :, None]
        return F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
