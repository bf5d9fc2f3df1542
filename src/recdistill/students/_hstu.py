"""HSTU, with and without time: no softmax in attention (Zhai et al. 2024, arXiv 2402.17152)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F

from recdistill.students._dropout import ByteDropout
from recdistill.students._model import small_start
from recdistill.students._positions import RelativeBias
from recdistill.students._query_time import without_times
from recdistill.students._time_bias import TimeBias, spans_between
from recdistill.students._times import ReadsTimes, Times

if TYPE_CHECKING:
    from torch import Tensor

    from recdistill.students._query_time import QueryTime

# SiLU of this is exactly zero, so it hides a key as -inf does before a softmax.
_HIDDEN = -1e4


class HSTUBlock(nn.Module):
    """Equations 1 to 3 of the paper; the time part of its bias only where times are read.

    The sum over a history is not divided by a length, as the reference code does with that of the
    longest history of a batch: a state would then depend on the batch. The norm that follows takes
    any such factor out.
    """

    def __init__(
        self, dim: int, n_heads: int, max_length: int, dropout: float, *, reads_times: bool
    ) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norm_inputs = nn.LayerNorm(dim)
        self.uvqk = nn.Linear(dim, 4 * dim, bias=False)
        self.bias = RelativeBias(n_heads, max_length)
        self.norm_mixed = nn.LayerNorm(dim)
        self.out = nn.Linear(dim, dim)
        self.dropout = ByteDropout(dropout)
        # Starts at zero and draws nothing, so all three kinds start from the same weights.
        self.time_bias = TimeBias() if reads_times else None

    def forward(self, x: Tensor, spans: Tensor | None = None) -> Tensor:
        """Map states to states, both [batch, length, dim].

        Parameters
        ----------
        x : float tensor, shape [batch, length, dim]
        spans : int64 tensor, shape [batch, length, length], optional
            Buckets of the time from each key to each query.
        """
        batch, length, dim = x.shape
        uvqk = F.silu(self.uvqk(self.norm_inputs(x)))  # [batch, length, 4 * dim]
        gate, heads = uvqk[..., :dim], uvqk[..., dim:]
        value, query, key = heads.view(batch, length, 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)
        logits = query @ key.transpose(2, 3) + self.bias.bias(length, hidden=_HIDDEN)
        if self.time_bias is not None and spans is not None:
            logits = logits + self.time_bias(spans)
        mixed = F.silu(logits) @ value  # [batch, heads, length, head_dim]
        mixed = self.norm_mixed(mixed.transpose(1, 2).reshape(batch, length, dim))
        added: Tensor = x + self.out(self.dropout(gate * mixed))
        return added


class HSTU(ReadsTimes):
    """Hierarchical sequential transducer over item ids, one table for input and output.

    Parameters
    ----------
    n_items, dim, n_blocks, n_heads, max_length : int
    dropout : float
    query_time : "none", "last" or "known"
        Attention's bias by time counts from each key to the query's own item ("last"), or to the
        item that is to be predicted ("known"), as the reference code does.
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
        query_time: QueryTime = "none",
    ) -> None:
        super().__init__()
        self.query_time = query_time
        self.n_items, self.dim, self.max_length = n_items, dim, max_length
        self.items = nn.Embedding(n_items + 1, dim, padding_idx=0)
        self.dropout = ByteDropout(dropout)
        self.blocks = nn.ModuleList(
            HSTUBlock(dim, n_heads, max_length, dropout, reads_times=query_time != "none")
            for _ in range(n_blocks)
        )
        self.norm = nn.LayerNorm(dim)
        self.apply(small_start)
        with torch.no_grad():
            self.items.weight[0] = 0

    def encode(self, items: Tensor, times: Times | None = None) -> Tensor:
        """Return states [batch, length, dim]; see ``ReadsTimes.encode``."""
        spans = self._spans(times)
        x = self.dropout(self.items(items) * self.dim**0.5)
        for block in self.blocks:
            x = block(x, spans)
        normed: Tensor = self.norm(x)
        return normed

    def _spans(self, times: Times | None) -> Tensor | None:
        if self.query_time == "none":
            return None
        if times is None:
            raise without_times(self.query_time)
        queries = times.asked if self.query_time == "known" else times.seen
        if queries is None:
            raise without_times(self.query_time)
        return spans_between(queries, times.seen)

    def item_table(self) -> Tensor:
        """Return the one table, used for input and output alike."""
        return self.items.weight
