"""What a batch of states is compared with: the whole catalog, or a few drawn items."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import torch
from torch.nn import functional as F

from recdistill.training._softmax import weighted_logsumexp

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from recdistill.training._config import LossConfig


class Loss(Protocol):
    """Mean loss over the real targets of a batch."""

    def __call__(self, states: Tensor, table: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss.

        Parameters
        ----------
        states : float tensor, shape [n_targets, dim]
        table : float tensor, shape [n_items + 1, dim], row 0 padding
        targets : int tensor, shape [n_targets], ids from 1

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

    def __call__(self, states: Tensor, table: Tensor, targets: Tensor) -> Tensor:
        """See ``Loss``."""
        items = table[1:]
        n = len(states)
        weights = states.new_full((n,), 1 / n)
        wanted = (states * F.embedding(targets, table)).sum() / n
        if self.label_smoothing:
            everything = states.mean(0) @ items.mean(0)
            wanted = wanted.lerp(everything, self.label_smoothing)
        return weighted_logsumexp(states, items, weights) - wanted


class SampledSoftmax:
    """Cross-entropy against items drawn once per batch, corrected for how often they are drawn.

    A drawn item's score is lowered by the logarithm of its expected number of draws (logQ, Bengio
    & Senecal 2008), so the sum over drawn items estimates the sum over the catalog. A draw that
    is the row's own target is left out: the target is already counted, once.

    Parameters
    ----------
    n_negatives : int
        Draws per batch; with at least ``n_items`` every item is used once and the loss equals the
        full softmax.
    item_counts : int array, shape [n_items + 1]
        Training interactions per item id.
    power : float
        Items are drawn in proportion to ``(count + 1) ** power``.
    """

    def __init__(
        self, n_negatives: int, item_counts: NDArray[np.integer], power: float = 0.5
    ) -> None:
        self.n_negatives = n_negatives
        weights = (torch.from_numpy(item_counts[1:]).double() + 1) ** power
        self.shares = weights / weights.sum()  # [n_items]
        self.log_expected = (self.shares * n_negatives).log().float()

    def __call__(self, states: Tensor, table: Tensor, targets: Tensor) -> Tensor:
        """See ``Loss``."""
        if self.n_negatives >= len(self.shares):
            return Softmax()(states, table, targets)
        drawn = torch.multinomial(self.shares, self.n_negatives, replacement=True)
        expected = self.log_expected[drawn].to(states)
        drawn = drawn.to(states.device) + 1  # [n_negatives]
        scores = states @ table[drawn].T - expected  # [n_targets, n_negatives]
        scores = scores.masked_fill(targets[:, None] == drawn, -torch.inf)
        wanted = (states * F.embedding(targets, table)).sum(1, keepdim=True)  # [n_targets, 1]
        return (torch.cat([wanted, scores], 1).logsumexp(1) - wanted.squeeze(1)).mean()


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
    """

    def __init__(self, n_items: int, n_negatives: int, t: float) -> None:
        self.n_items, self.n_negatives = n_items, n_negatives
        rate = min(1.0, n_negatives / max(1, n_items - 1))
        self.beta = rate * (t * (1 - 1 / rate) + 1 / rate)
        self.rows_per_draw = 1 if n_negatives == 1 else 32

    def __call__(self, states: Tensor, table: Tensor, targets: Tensor) -> Tensor:
        """See ``Loss``."""
        n, group = len(states), self.rows_per_draw
        n_groups = math.ceil(n / group)
        drawn = torch.randint(
            1, self.n_items + 1, (n_groups, self.n_negatives), device=states.device
        )
        padded = F.pad(states, (0, 0, 0, n_groups * group - n)).view(n_groups, group, -1)
        scores = padded @ F.embedding(drawn, table).transpose(
            1, 2
        )  # [n_groups, group, n_negatives]
        scores = scores.view(n_groups * group, -1)[:n]  # [n_targets, n_negatives]
        own = targets[:, None] == drawn.repeat_interleave(group, 0)[:n]
        negative = F.softplus(scores).masked_fill(own, 0).sum()
        wanted = (states * F.embedding(targets, table)).sum(1)
        positive = self.beta * F.softplus(-wanted).sum()
        return (positive + negative) / (n * (1 + self.n_negatives))


def build_loss(config: LossConfig, item_counts: NDArray[np.integer]) -> Loss:
    """Return the loss that ``config`` names.

    Parameters
    ----------
    config : LossConfig
    item_counts : int array, shape [n_items + 1]
        Training interactions per item id.
    """
    n_items = len(item_counts) - 1
    if config.kind == "softmax":
        return Softmax(config.label_smoothing)
    if config.kind == "sampled_softmax":
        return SampledSoftmax(config.n_negatives, item_counts, config.sampling_power)
    return GBCE(n_items, config.n_negatives, config.gbce_t if config.kind == "gbce" else 0.0)
