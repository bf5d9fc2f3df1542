"""GRU4Rec: a recurrent net over interaction ids (Hidasi et al. 2016, arXiv 1511.06939)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from recdistill.students._dropout import ByteDropout
from recdistill.students._model import SequentialModel

if TYPE_CHECKING:
    from torch import Tensor


class GRU4Rec(SequentialModel):
    """Stacked GRUs with one item table for input and output.

    Parameters
    ----------
    n_items, dim, n_blocks, max_length : int
        ``n_blocks`` GRU layers of width ``dim``.
    dropout : float
        On the item vectors and on the last layer's states.
    """

    def __init__(
        self,
        n_items: int,
        *,
        dim: int = 64,
        n_blocks: int = 1,
        max_length: int = 200,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.n_items, self.dim, self.max_length = n_items, dim, max_length
        self.items = nn.Embedding(n_items + 1, dim, padding_idx=0)
        self.recurrent = nn.GRU(dim, dim, num_layers=n_blocks, batch_first=True)
        self.norm = nn.LayerNorm(dim)
        self.dropout = ByteDropout(dropout)
        nn.init.normal_(self.items.weight, std=0.02)
        with torch.no_grad():
            self.items.weight[0] = 0

    def encode(self, items: Tensor) -> Tensor:
        """Return states [batch, length, dim]; see ``SequentialModel.encode``."""
        x = self.dropout(self.items(items) * self.dim**0.5)  # [batch, length, dim]
        states, _ = self.recurrent(x)
        normed: Tensor = self.norm(self.dropout(states))
        return normed

    def item_table(self) -> Tensor:
        """Return the one table, used for input and output alike."""
        return self.items.weight
