"""Negatives that a user has not met."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from recdistill.data import Sequences

_DRAWS = 64


class UnseenItems:
    """Draws items that lie outside a target's history.

    Parameters
    ----------
    sequences : Sequences
        The histories.
    n_items : int
    """

    def __init__(self, sequences: Sequences, n_items: int) -> None:
        row, position = sequences.keys()
        rows, positions = torch.from_numpy(row), torch.from_numpy(position)
        # Every row's items once, at the position where each was first met.
        self._stride = n_items + 1
        keys = rows * self._stride + torch.from_numpy(sequences.items).long()
        order = keys.argsort(stable=True)
        ordered = keys[order]
        first = torch.ones_like(ordered, dtype=torch.bool)
        first[1:] = ordered[1:] != ordered[:-1]
        self._keys, self._met = ordered[first], positions[order][first]
        self._n_items = n_items

    def draw(self, rows: Tensor, positions: Tensor, targets: Tensor) -> Tensor:
        """Draw one item per target, neither it nor an item before it; int64, shape [n_targets].

        A user who has met nearly everything may get an item that was met: a draw is repeated
        64 times at most.
        """
        drawn = torch.randint(1, self._n_items + 1, targets.shape, device=targets.device)
        for _ in range(_DRAWS):
            again = (drawn == targets) | self._seen(rows, positions, drawn)
            if not again.any():
                break
            new = torch.randint(1, self._n_items + 1, targets.shape, device=targets.device)
            drawn = torch.where(again, new, drawn)
        return drawn

    def _seen(self, rows: Tensor, positions: Tensor, items: Tensor) -> Tensor:
        wanted = (rows * self._stride + items).cpu()
        at = torch.searchsorted(self._keys, wanted).clamp(max=max(len(self._keys) - 1, 0))
        met = (self._keys[at] == wanted) & (self._met[at] < positions.cpu())
        return met.to(items.device)
