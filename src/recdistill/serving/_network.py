"""A student's forward pass with nothing in it that only training needs.

The served model travels with this file and without the training code, so the architecture stands
here a second time. A test holds both to the same states.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import nn
from torch.nn import functional as F

from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

Weights = dict[str, "Tensor"]


class Network(Protocol):
    """Item ids in, the state after the newest item out; score of item ``j`` = state · table[j].

    Attributes
    ----------
    table : float tensor, shape [n_items + 1, dim]
    max_length : int
        Longest history read.
    """

    table: Tensor
    max_length: int

    def states(self, items: Tensor, lengths: Tensor) -> Tensor:
        """Return the newest states, shape [batch, dim].

        Parameters
        ----------
        items : int tensor, shape [batch, length], oldest first, right-padded with 0
        lengths : int tensor, shape [batch], each at least 1
        """
        ...


class ServedSASRec:
    """Pre-norm SASRec; see ``recdistill.students.SASRec`` for the model and its reference."""

    def __init__(self, weights: Weights, *, n_blocks: int, n_heads: int, max_length: int) -> None:
        self.n_heads, self.max_length = n_heads, max_length
        self.table = weights["items.weight"]
        self.dim = self.table.shape[1]
        self.inputs = self.table * self.dim**0.5
        self.positions = weights["positions.weight"]
        self.blocks = [
            {
                k.removeprefix(f"blocks.{i}."): v
                for k, v in weights.items()
                if k.startswith(f"blocks.{i}.")
            }
            for i in range(n_blocks)
        ]
        self.final = weights["norm.weight"], weights["norm.bias"]

    def states(self, items: Tensor, lengths: Tensor) -> Tensor:
        """See ``Network``."""
        age = lengths[:, None] - 1 - torch.arange(items.shape[1], device=items.device)
        x = F.embedding(items, self.inputs)  # [batch, length, dim]
        x += F.embedding(age.clamp_(min=0), self.positions)
        for block in self.blocks[:-1]:
            x = self._block(x, block)
        return F.layer_norm(self._newest(x, lengths, self.blocks[-1]), (self.dim,), *self.final)

    def _block(self, x: Tensor, w: Weights) -> Tensor:
        batch, length, dim = x.shape
        qkv = F.linear(self._norm(x, w, "norm_attention"), w["qkv.weight"], w["qkv.bias"])
        query, key, value = qkv.view(batch, length, 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self._finish(x, mixed.transpose(1, 2).reshape(batch, length, dim), w)

    def _newest(self, x: Tensor, lengths: Tensor, w: Weights) -> Tensor:
        """Map states [batch, length, dim] to those after each row's newest item, [batch, dim].

        With one query per row, keys and values need not exist: the query is taken through the key
        weights instead (``q·(K n) = (Kᵀq)·n``), and the mixture through the value weights. The key
        bias adds the same to all of a row's logits, which the softmax does not see.
        """
        batch, length, dim = x.shape
        at = torch.arange(batch, device=x.device), lengths - 1
        normed = self._norm(x, w, "norm_attention")
        to_query, to_key, to_value = w["qkv.weight"].view(3, self.n_heads, -1, dim)
        query_bias, _, value_bias = w["qkv.bias"].view(3, self.n_heads, -1)
        query = torch.einsum("bd,hed->bhe", normed[at], to_query) + query_bias
        query = torch.einsum("bhe,hed->bhd", query, to_key) / to_key.shape[1] ** 0.5
        logits = torch.bmm(query, normed.transpose(1, 2))  # [batch, heads, length]
        padding = torch.arange(length, device=x.device) >= lengths[:, None]
        share = logits.masked_fill_(padding[:, None], -torch.inf).softmax(-1)
        mixed = torch.einsum("bhd,hed->bhe", torch.bmm(share, normed), to_value) + value_bias
        return self._finish(x[at], mixed.reshape(batch, dim), w)

    def _finish(self, x: Tensor, mixed: Tensor, w: Weights) -> Tensor:
        x = F.linear(mixed, w["out.weight"], w["out.bias"]).add_(x)
        inner = F.linear(self._norm(x, w, "norm_inner"), w["inner.weight"], w["inner.bias"])
        return x.add_(F.linear(_gelu(inner), w["outer.weight"], w["outer.bias"]))

    def _norm(self, x: Tensor, w: Weights, name: str) -> Tensor:
        return F.layer_norm(x, (self.dim,), w[f"{name}.weight"], w[f"{name}.bias"])


class ServedGRU4Rec:
    """Stacked GRUs; see ``recdistill.students.GRU4Rec``."""

    def __init__(self, weights: Weights, *, n_blocks: int, max_length: int) -> None:
        self.max_length = max_length
        self.table = weights["items.weight"]
        self.dim = self.table.shape[1]
        self.recurrent = nn.GRU(self.dim, self.dim, num_layers=n_blocks, batch_first=True)
        own = "recurrent."
        self.recurrent.load_state_dict(
            {name.removeprefix(own): w for name, w in weights.items() if name.startswith(own)}
        )
        self.recurrent.eval().to(self.table.device)
        self.final = weights["norm.weight"], weights["norm.bias"]

    def states(self, items: Tensor, lengths: Tensor) -> Tensor:
        """See ``Network``."""
        states, _ = self.recurrent(F.embedding(items, self.table) * self.dim**0.5)
        newest = states[torch.arange(len(items), device=items.device), lengths - 1]
        return F.layer_norm(newest, (self.dim,), *self.final)


def build_network(config: Mapping[str, Any], weights: Weights) -> Network:
    """Return the network of a saved student, from its ``config.json`` and its weights.

    Raises
    ------
    UserError
        If it is of a kind that cannot be served.
    """
    sizes = config["student"]
    n_blocks, max_length = sizes["n_blocks"], sizes["max_length"]
    if config["kind"] == "sasrec":
        return ServedSASRec(
            weights, n_blocks=n_blocks, n_heads=sizes["n_heads"], max_length=max_length
        )
    if config["kind"] == "gru4rec":
        return ServedGRU4Rec(weights, n_blocks=n_blocks, max_length=max_length)
    raise UserError(
        f"A student of kind {config['kind']!r} cannot be served: sasrec or gru4rec can."
    )


def _gelu(x: Tensor) -> Tensor:
    """Compute GELU's tanh form as ``x * sigmoid(2u)``: the same value, half the time on a CPU."""
    twice = 2 * (2 / torch.pi) ** 0.5
    gate = (x * x).mul_(0.044715 * twice).add_(twice).mul_(x).sigmoid_()
    return gate.mul_(x)
