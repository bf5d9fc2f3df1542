"""HSTU without time: attention without softmax (Zhai et al. 2024, arXiv 2402.17152)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F

from recdistill.students._dropout import ByteDropout
from recdistill.students._model import SequentialModel, small_start
from recdistill.students._positions import RelativeBias

if TYPE_CHECKING:
    from torch import Tensor

# SiLU of this is exactly zero, so it hides a key as -inf does before a softmax.
_HIDDEN = -1e4


class HSTUBlock(nn.Module):
    """Equations 1 to 3 of the paper, with the position part of its bias and not the time part.

    The sum over a history is not divided by a length, as the reference code does with that of the
    longest history of a batch: a state would then depend on the batch. The norm that follows takes
    any such factor out.
    """

    def __init__(self, dim: int, n_heads: int, max_length: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norm_inputs = nn.LayerNorm(dim)
        self.uvqk = nn.Linear(dim, 4 * dim, bias=False)
        self.bias = RelativeBias(n_heads, max_length)
        self.norm_mixed = nn.LayerNorm(dim)
        self.out = nn.Linear(dim, dim)
        self.dropout = ByteDropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map states to states, both [batch, length, dim]."""
        batch, length, dim = x.shape
        uvqk = F.silu(self.uvqk(self.norm_inputs(x)))  # [batch, length, 4 * dim]
        gate, heads = uvqk[..., :dim], uvqk[..., dim:]
        value, query, key = heads.view(batch, length, 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)
        logits = query @ key.transpose(2, 3) + self.bias.bias(length, hidden=_HIDDEN)
        mixed = F.silu(logits) @ value  # [batch, heads, length, head_dim]
        mixed = self.norm_mixed(mixed.transpose(1, 2).reshape(batch, length, dim))
        added: Tensor = x + self.out(self.dropout(gate * mixed))
        return added


class HSTU(SequentialModel):
    """Hierarchical sequential transducer over item ids alone, one table for input and output.

    Parameters
    ----------
    n_items, dim, n_blocks, n_heads, max_length : int
    dropout : float
    """

    def __init__(
        self,
        n_items: int,
        *,
        dim: int = 64,
        n_blocks: int = 2,
        n_heads: int = 2,
        max_length: int = 200,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.n_items, self.dim, self.max_length = n_items, dim, max_length
        self.items = nn.Embedding(n_items + 1, dim, padding_idx=0)
        self.dropout = ByteDropout(dropout)
        self.blocks = nn.ModuleList(
            HSTUBlock(dim, n_heads, max_length, dropout) for _ in range(n_blocks)
        )
        self.norm = nn.LayerNorm(dim)
        self.apply(small_start)
        with torch.no_grad():
            self.items.weight[0] = 0

    def encode(self, items: Tensor) -> Tensor:
        """Return states [batch, length, dim]; see ``SequentialModel.encode``."""
        x = self.dropout(self.items(items) * self.dim**0.5)
        for block in self.blocks:
            x = block(x)
        normed: Tensor = self.norm(x)
        return normed

    def item_table(self) -> Tensor:
        """Return the one table, used for input and output alike."""
        return self.items.weight
