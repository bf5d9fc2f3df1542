"""Causal attention that knows no positions: what every position scheme starts from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from torch import Tensor


class PositionScheme(nn.Module):
    """How attention learns where in a history an item stands; this one does not tell it.

    Whatever a scheme tells must not depend on what follows: the state after an item equals the
    one that the history up to this item gives alone. Counting from the newest item would break
    that, since an inner state would know how many items come after it.
    """

    def place(self, x: Tensor) -> Tensor:
        """Return the inputs of the first block, [batch, length, dim], with positions in them."""
        return x

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Mix the values at and before every position.

        Parameters
        ----------
        query, key, value : float tensors, shape [batch, heads, length, head_dim]

        Returns
        -------
        float tensor, shape [batch, heads, length, head_dim]
        """
        # Without a mask tensor and without attention dropout the fused kernel applies. Causality
        # alone hides the padding: it is on the right, so no real position ever sees it.
        return F.scaled_dot_product_attention(query, key, value, is_causal=True)

    def attend_newest(self, query: Tensor, key: Tensor, value: Tensor, lengths: Tensor) -> Tensor:
        """Mix the values of every row for its newest position alone.

        Parameters
        ----------
        query : float tensor, shape [batch, heads, 1, head_dim]
        key, value : float tensors, shape [batch, heads, length, head_dim]
        lengths : int tensor, shape [batch], each at least 1

        Returns
        -------
        float tensor, shape [batch, heads, 1, head_dim]
        """
        real = torch.arange(key.shape[2], device=key.device) < lengths[:, None]  # [batch, length]
        return F.scaled_dot_product_attention(query, key, value, attn_mask=real[:, None, None])
