"""What a batch of states is compared with: the whole catalog, or a few drawn items."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import torch
from torch.nn import functional as F

from recdistill.training._softmax import weighted_logsumexp

if TYPE_CHECKING:
    from torch import Tensor


class Loss(Protocol):
    """Mean loss over the real targets of a batch."""

    def __call__(
        self, states: Tensor, table: Tensor, targets: Tensor, rows: Tensor | None = None
    ) -> Tensor:
        """Return the mean loss.

        Parameters
        ----------
        states : float tensor, shape [n_targets, dim]
        table : float tensor, shape [n_items + 1, dim], row 0 padding
        targets : int tensor, shape [n_targets], ids from 1
        rows : int64 tensor, shape [n_targets], optional
            The history that each target stands in.

        Returns
        -------
        scalar tensor
        """
        ...


class Softmax:
    """Cross-entropy over the whole catalog, in chunks.

    Split into its log-sum-exp and its linear part, ``lse(s) - s_target``: only the first needs
    every item, and the second is where label smoothing goes.

    Parameters
    ----------
    label_smoothing : float
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        self.label_smoothing = label_smoothing

    def __call__(
        self, states: Tensor, table: Tensor, targets: Tensor, rows: Tensor | None = None
    ) -> Tensor:
        """See ``Loss``."""
        items = table[1:]
        n = len(states)
        weights = states.new_full((n,), 1 / n)
        wanted = (states * F.embedding(targets, table)).sum() / n
        if self.label_smoothing:
            everything = states.mean(0) @ items.mean(0)
            wanted = wanted.lerp(everything, self.label_smoothing)
        return weighted_logsumexp(states, items, weights) - wanted


class GBCE:
    """Binary cross-entropy with the positive probability raised to ``beta`` (gSASRec).

    Petrov & Macdonald, RecSys 2023, arXiv 2308.07192, equations 9 and 14: negative sampling makes
    BCE overconfident, and ``beta = a (t (1 - 1/a) + 1/a)`` with the sampling rate
    ``a = n_negatives / (n_items - 1)`` undoes a share ``t`` of that; ``t = 0`` is plain BCE.

    Negatives are uniform. Up to 32 neighbouring rows share one draw, so that the products stay
    matrix products; with one negative every row draws its own.

    Parameters
    ----------
    n_items : int
    n_negatives : int
    t : float
    sparse : bool
        Give the table a gradient of the rows that were looked up alone.
    """

    def __init__(self, n_items: int, n_negatives: int, t: float, *, sparse: bool = False) -> None:
        self.n_items, self.n_negatives, self.sparse = n_items, n_negatives, sparse
        rate = min(1.0, n_negatives / max(1, n_items - 1))
        self.beta = rate * (t * (1 - 1 / rate) + 1 / rate)
        self.rows_per_draw = 1 if n_negatives == 1 else 32

    def __call__(
        self, states: Tensor, table: Tensor, targets: Tensor, rows: Tensor | None = None
    ) -> Tensor:
        """See ``Loss``."""
        n, group = len(states), self.rows_per_draw
        n_groups = math.ceil(n / group)
        drawn = torch.randint(
            1, self.n_items + 1, (n_groups, self.n_negatives), device=states.device
        )
        padded = F.pad(states, (0, 0, 0, n_groups * group - n)).view(n_groups, group, -1)
        vectors = F.embedding(drawn, table, sparse=self.sparse)  # [n_groups, n_negatives, dim]
        scores = padded @ vectors.transpose(1, 2)  # [n_groups, group, n_negatives]
        scores = scores.view(n_groups * group, -1)[:n]  # [n_targets, n_negatives]
        own = targets[:, None] == drawn.repeat_interleave(group, 0)[:n]
        negative = F.softplus(scores).masked_fill(own, 0).sum()
        wanted = (states * F.embedding(targets, table, sparse=self.sparse)).sum(1)
        positive = self.beta * F.softplus(-wanted).sum()
        return (positive + negative) / (n * (1 + self.n_negatives))
