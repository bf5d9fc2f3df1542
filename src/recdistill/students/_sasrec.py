"""SASRec: a causal transformer over interaction ids (Kang & McAuley 2018, arXiv 1808.09781)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from recdistill.students._dropout import ByteDropout
from recdistill.students._model import SequentialModel, small_start
from recdistill.students._positions import PositionScheme, position_scheme

if TYPE_CHECKING:
    from torch import Tensor

    from recdistill.students._config import Positions


class Block(nn.Module):
    """Pre-norm transformer block: causal self-attention, then a two-layer feed-forward net."""

    def __init__(self, dim: int, n_heads: int, inner_dim: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norm_attention = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.norm_inner = nn.LayerNorm(dim)
        self.inner = nn.Linear(dim, inner_dim)
        self.outer = nn.Linear(inner_dim, dim)
        self.dropout = ByteDropout(dropout)

    def forward(self, x: Tensor, positions: PositionScheme) -> Tensor:
        """Map states to states, both [batch, length, dim]."""
        batch, length, dim = x.shape
        heads = self.qkv(self.norm_attention(x)).view(batch, length, 3, self.n_heads, -1)
        query, key, value = heads.permute(2, 0, 3, 1, 4)  # each [batch, heads, length, head_dim]
        mixed = positions.attend(query, key, value)
        return self._finish(x, mixed.transpose(1, 2).reshape(batch, length, dim))

    def newest(self, x: Tensor, lengths: Tensor, positions: PositionScheme) -> Tensor:
        """Map states [batch, length, dim] to the state at each row's newest item, [batch, dim].

        The last block needs no other state, and of this one only a single query: about half of
        the block's cost.
        """
        batch, length, dim = x.shape
        at = torch.arange(batch, device=x.device), lengths - 1
        normed = self.norm_attention(x)
        weight, bias = self.qkv.weight, self.qkv.bias
        query = F.linear(normed[at], weight[:dim], bias[:dim]).view(batch, self.n_heads, 1, -1)
        pairs = F.linear(normed, weight[dim:], bias[dim:]).view(batch, length, 2, self.n_heads, -1)
        key, value = pairs.permute(2, 0, 3, 1, 4)  # each [batch, heads, length, head_dim]
        mixed = positions.attend_newest(query, key, value, lengths)
        return self._finish(x[at], mixed.reshape(batch, dim))

    def _finish(self, x: Tensor, mixed: Tensor) -> Tensor:
        x = x + self.dropout(self.out(mixed))
        inner = self.dropout(F.gelu(self.inner(self.norm_inner(x)), approximate="tanh"))
        finished: Tensor = x + self.dropout(self.outer(inner))
        return finished


class SASRec(SequentialModel):
    """Pre-norm SASRec with one item table for input and output.

    A state depends on its own and earlier items alone, under every position scheme: scoring all
    positions of a history of up to ``max_length`` items is scoring each of its prefixes.

    Parameters
    ----------
    n_items : int
    dim, n_blocks, n_heads, max_length : int
    ffn_multiplier : int
        Width of the feed-forward net over ``dim``.
    dropout : float
    positions : "rotary", "relative", "decay", "oldest" or "none"
    """

    block: ClassVar[type[Block]] = Block

    def __init__(
        self,
        n_items: int,
        *,
        dim: int = 64,
        n_blocks: int = 2,
        n_heads: int = 2,
        max_length: int = 200,
        ffn_multiplier: int = 1,
        dropout: float = 0.2,
        positions: Positions = "rotary",
    ) -> None:
        super().__init__()
        self.n_items, self.dim, self.max_length = n_items, dim, max_length
        self.items = nn.Embedding(n_items + 1, dim, padding_idx=0)
        self.positions = position_scheme(positions, dim=dim, n_heads=n_heads, max_length=max_length)
        self.dropout = ByteDropout(dropout)
        self.blocks = nn.ModuleList(
            self.block(dim, n_heads, ffn_multiplier * dim, dropout) for _ in range(n_blocks)
        )
        self.norm = nn.LayerNorm(dim)
        self.apply(small_start)
        with torch.no_grad():
            self.items.weight[0] = 0

    def encode(self, items: Tensor) -> Tensor:
        """Return states [batch, length, dim]; see ``SequentialModel.encode``."""
        x = self._embed(items)
        for block in self.blocks:
            x = block(x, self.positions)
        normed: Tensor = self.norm(x)
        return normed

    def encode_newest(self, items: Tensor, lengths: Tensor) -> Tensor:
        """Return the newest states only, [batch, dim], without finishing the others."""
        x = self._embed(items)
        for block in self.blocks[:-1]:
            x = block(x, self.positions)
        last: Block = self.blocks[-1]  # type: ignore[assignment]
        normed: Tensor = self.norm(last.newest(x, lengths, self.positions))
        return normed

    def _embed(self, items: Tensor) -> Tensor:
        x: Tensor = self.dropout(self.positions.place(self.items(items) * self.dim**0.5))
        return x

    def item_table(self) -> Tensor:
        """Return the one table, used for input and output alike."""
        return self.items.weight
