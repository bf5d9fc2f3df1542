"""What a student is: histories in, states out, one table of items."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

    from recdistill.students._query_time import QueryTime


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
    query_time : "none", "last" or "known"
        What it is told of the time; anything but "none" is for ``ReadsTimes``.
    """

    n_items: int
    dim: int
    max_length: int
    query_time: QueryTime = "none"

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


def small_start(module: nn.Module) -> None:
    """Start matrices and tables at a standard deviation of .02 and biases at 0; for ``apply``."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
