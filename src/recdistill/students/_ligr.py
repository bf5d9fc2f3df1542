"""SASRec with LiGR blocks, as in eSASRec (Borisyuk et al. 2025, 2502.03417; 2508.06450)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F

from recdistill.students._sasrec import Block, SASRec

if TYPE_CHECKING:
    from torch import Tensor


class LiGRBlock(Block):
    """A block that decides, per coordinate, how much of its two results to add.

    Learned gated residuals: ``x + f(norm(x)) * sigmoid(gate(x))`` around the attention and around
    a SwiGLU feed-forward net without biases, ``outer(silu(inner(x)) * linear(x))``.
    """

    def __init__(self, dim: int, n_heads: int, inner_dim: int, dropout: float) -> None:
        super().__init__(dim, n_heads, inner_dim, dropout)
        # Both inner maps of the SwiGLU net in one product.
        self.inner = nn.Linear(dim, 2 * inner_dim, bias=False)
        self.outer = nn.Linear(inner_dim, dim, bias=False)
        self.gate_attention = nn.Linear(dim, dim)
        self.gate_inner = nn.Linear(dim, dim)

    def _finish(self, x: Tensor, mixed: Tensor) -> Tensor:
        x = x + torch.sigmoid(self.gate_attention(x)) * self.dropout(self.out(mixed))
        opened, linear = self.inner(self.norm_inner(x)).chunk(2, -1)  # each [..., inner_dim]
        fed = self.outer(self.dropout(F.silu(opened) * linear))
        finished: Tensor = x + torch.sigmoid(self.gate_inner(x)) * self.dropout(fed)
        return finished


class LiGR(SASRec):
    """SASRec whose blocks are ``LiGRBlock``; the papers' inner width is four times ``dim``."""

    block = LiGRBlock
