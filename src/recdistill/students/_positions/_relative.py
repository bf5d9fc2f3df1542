"""A learned bias per head and distance (T5, Raffel et al. 2020; HSTU, Zhai et al. 2024)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F

from recdistill.students._positions._scheme import PositionScheme

if TYPE_CHECKING:
    from torch import Tensor


class RelativeBias(PositionScheme):
    """Add to every attention logit what its head has learned about the distance of the two items.

    Every distance has its own number, as in HSTU, and all blocks share them, as in T5. The fused
    kernel gives no gradient to a bias, so while training the logits are written out.

    Parameters
    ----------
    n_heads, max_length : int
    """

    def __init__(self, n_heads: int, max_length: int) -> None:
        super().__init__()
        self.by_distance = nn.Parameter(torch.zeros(n_heads, max_length))

    def bias(self, length: int, hidden: float = -torch.inf) -> Tensor:
        """Return the bias of query ``i`` and key ``j``, [heads, length, length].

        Parameters
        ----------
        length : int
        hidden : float
            What stands where the key comes after the query.
        """
        # Every row of such a matrix is a window of one array: distances i, ..., 1, 0, then hidden.
        line = F.pad(self.by_distance[:, :length].flip(1), (0, length - 1), value=hidden)
        return line.unfold(1, length, 1).flip(1)

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """See ``PositionScheme``."""
        bias = self.bias(query.shape[2])
        if not (self.training and torch.is_grad_enabled()):
            return F.scaled_dot_product_attention(query, key, value, attn_mask=bias[None])
        logits = (query @ key.transpose(2, 3)).mul_(query.shape[-1] ** -0.5)
        return (logits + bias).softmax(-1) @ value  # logits: [batch, heads, length, length]

    def attend_newest(self, query: Tensor, key: Tensor, value: Tensor, lengths: Tensor) -> Tensor:
        """See ``PositionScheme``."""
        distance = lengths[:, None] - 1 - torch.arange(key.shape[2], device=key.device)
        bias = self.by_distance[:, distance.clamp(min=0)].transpose(0, 1)  # [batch, heads, length]
        bias = bias.masked_fill((distance < 0)[:, None], -torch.inf)
        return F.scaled_dot_product_attention(query, key, value, attn_mask=bias[:, :, None])
