"""Drawing items in proportion to what they were taken, at a cost that does not grow with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


class ItemDraws:
    """Draws items with replacement, in proportion to ``(count + 1) ** power``.

    Parameters
    ----------
    item_counts : int array, shape [n_items + 1]
        Training interactions per item id.
    power : float

    Attributes
    ----------
    shares : float64 tensor, shape [n_items]
        Probability of item ``i + 1`` in one draw.
    """

    def __init__(self, item_counts: NDArray[np.integer], power: float) -> None:
        weights = (torch.from_numpy(item_counts[1:]).double() + 1) ** power
        self.shares = weights / weights.sum()
        sums = self.shares.cumsum(0)
        self._ends = sums / sums[-1]

    def __call__(self, n: int) -> Tensor:
        """Draw ``n`` item ids, int64, shape [n], from torch's global generator.

        The draws are those of ``torch.multinomial(shares, n, replacement=True)``, which sums all
        shares up anew in every call.
        """
        return torch.searchsorted(self._ends, torch.rand(n, dtype=torch.float64)) + 1
