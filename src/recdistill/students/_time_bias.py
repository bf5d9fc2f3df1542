"""A learned bias per span of time between a query and a key (HSTU, Zhai et al. 2024)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

N_SPANS = 128
# Of the reference code: a bucket is e^.301 = 1.35 times as wide as the one before. A day is bucket
# 37, a century 72.
_LOG_WIDTH = 0.301


class TimeBias(nn.Module):
    """Add to every attention logit what was learned about the time between the two sides.

    The time part of the paper's relative bias. As in the reference code all heads share it, and
    every block has its own.
    """

    def __init__(self) -> None:
        super().__init__()
        self.by_span = nn.Parameter(torch.zeros(N_SPANS))

    def forward(self, spans: Tensor) -> Tensor:
        """Map buckets [batch, query, key] to biases [batch, 1, query, key]."""
        bias = self.by_span.index_select(0, spans.flatten())
        return bias.view(spans.shape)[:, None]


def spans_between(queries: Tensor, keys: Tensor) -> Tensor:
    """Sort the seconds from every key to every query into log-spaced buckets.

    Up to a second, and where a clock runs backwards, it is bucket 0.

    Parameters
    ----------
    queries, keys : int64 tensors, shape [batch, length], seconds

    Returns
    -------
    int64 tensor, shape [batch, query, key], in 0..N_SPANS - 1
    """
    # Whole numbers are subtracted first: seconds since 1970 are too large for single precision.
    seconds = (queries[:, :, None] - keys[:, None, :]).clamp(min=1)
    return (seconds.float().log() / _LOG_WIDTH).long().clamp(max=N_SPANS - 1)
