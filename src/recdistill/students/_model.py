"""What a student is: histories in, states out, one table of items."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.utils import parametrize

if TYPE_CHECKING:
    from torch import Tensor

    from recdistill.data import Sequences


class SequentialModel(nn.Module, ABC):
    """Interaction ids in, one state per position out; the score of item ``j`` is state · table[j].

    Attributes
    ----------
    n_items : int
        Catalog size; ids are ``1..n_items``, 0 is padding.
    dim : int
        Width of the states and of the item table.
    max_length : int
        Longest history the model reads; of a longer one only the newest items count.
    """

    n_items: int
    dim: int
    max_length: int

    @abstractmethod
    def encode(self, items: Tensor) -> Tensor:
        """Return the state after every position.

        Parameters
        ----------
        items : int tensor, shape [batch, length]
            Oldest first, right-padded with 0; ``length`` at most ``max_length``.

        Returns
        -------
        float tensor, shape [batch, length, dim]
            A state equals the one that the items up to its own give alone: neither what follows
            nor how much follows may change it. States at padding mean nothing.
        """

    @abstractmethod
    def item_table(self) -> Tensor:
        """Return the table scores are taken against, [n_items + 1, dim]; row 0 is padding."""

    def encode_newest(self, items: Tensor, lengths: Tensor) -> Tensor:
        """Return the state after each row's newest item, shape [batch, dim].

        Parameters
        ----------
        items : int tensor, shape [batch, length], as for ``encode``
        lengths : int tensor, shape [batch], each at least 1
        """
        states = self.encode(items)  # [batch, length, dim]
        return states[torch.arange(len(items), device=items.device), lengths - 1]


@torch.inference_mode()
@parametrize.cached()
def score_histories(model: SequentialModel, histories: Sequences) -> Tensor:
    """Score the whole catalog after each history.

    A user without history gets the same score for every item. Rows are read in groups of similar
    length, so a short history never pays for the padding of a long one.

    Returns
    -------
    float32 tensor, shape [n_rows, n_items + 1], on the model's device
        Column 0 (padding) is ``-inf``; the history is not masked.
    """
    was_training = model.training
    model.eval()
    table = model.item_table()
    newest = histories.tail(model.max_length)
    lengths = torch.from_numpy(newest.lengths)
    states = torch.zeros(len(newest), model.dim, device=table.device)
    order = torch.argsort(lengths)
    for rows in torch.split(order[lengths[order] > 0], _ROWS_PER_PASS):
        items = torch.from_numpy(newest.take(rows.numpy()).padded()).to(table.device)
        state = model.encode_newest(items, lengths[rows].to(table.device))
        states[rows.to(table.device)] = state.float()
    scores = states @ table.float().T
    scores[:, 0] = -torch.inf
    model.train(was_training)
    return scores


# Enough rows for efficient matrix products, few enough to keep the activations in cache.
_ROWS_PER_PASS = 64


def small_start(module: nn.Module) -> None:
    """Start matrices and tables at a standard deviation of .02 and biases at 0; for ``apply``."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
