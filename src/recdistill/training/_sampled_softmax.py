"""Cross-entropy against a few items per batch in the place of the whole catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from recdistill.training._candidate_softmax import candidate_cross_entropy
from recdistill.training._item_draws import ItemDraws
from recdistill.training._losses import Softmax

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


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
    sparse : bool
        Give the table a gradient of the rows that were looked up alone.
    """

    def __init__(
        self,
        n_negatives: int,
        item_counts: NDArray[np.integer],
        power: float = 0.5,
        *,
        sparse: bool = False,
    ) -> None:
        self.n_negatives, self.sparse = n_negatives, sparse
        self.draw = ItemDraws(item_counts, power)
        self.log_expected = (self.draw.shares * n_negatives).log().float()  # [n_items]

    def __call__(
        self, states: Tensor, table: Tensor, targets: Tensor, rows: Tensor | None = None
    ) -> Tensor:
        """See ``Loss``."""
        if self.n_negatives >= len(table) - 1:
            return Softmax()(states, table, targets)
        drawn = self.draw(self.n_negatives)
        expected = self.log_expected[drawn - 1].to(states)
        drawn = drawn.to(states.device)  # [n_negatives]
        vectors = F.embedding(drawn, table, sparse=True) if self.sparse else table[drawn]
        scores = states @ vectors.T - expected  # [n_targets, n_negatives]
        scores = scores.masked_fill(targets[:, None] == drawn, -torch.inf)
        wanted = (states * F.embedding(targets, table, sparse=self.sparse)).sum(1, keepdim=True)
        return (torch.cat([wanted, scores], 1).logsumexp(1) - wanted.squeeze(1)).mean()


class MixedSoftmax:
    """Cross-entropy against drawn items and the batch's own targets, corrected for both.

    A target of another row is a negative that costs no look-up, and one from what users really
    take (mixed negative sampling, Yang et al., WWW 2020). Item ``j`` is expected
    ``n_drawn * q_j + n_others * p_j`` times among the candidates of a row, ``q`` the distribution
    drawn from and ``p`` the items' shares of the training interactions (sampling-bias correction,
    Yi et al., RecSys 2019); met ``m_j`` times it enters the softmax as
    ``m_j exp(s_j) / expected_j``, so the sum estimates the sum over the catalog. Left out for a
    row: its own target, which is counted once by itself, and the targets of its own history, which
    are there by no chance.

    Parameters
    ----------
    n_negatives : int
        Draws per batch; with at least ``n_items`` the loss is the full softmax.
    item_counts : int array, shape [n_items + 1]
        Training interactions per item id.
    power : float
        Items are drawn in proportion to ``(count + 1) ** power``.
    sparse : bool
        Give the table a gradient of the rows that were looked up alone.
    most_in_batch : int
        Targets taken as candidates; of a larger batch as many are drawn.
    """

    def __init__(
        self,
        n_negatives: int,
        item_counts: NDArray[np.integer],
        power: float = 0.5,
        *,
        sparse: bool = False,
        most_in_batch: int = 512,
    ) -> None:
        self.n_negatives, self.sparse, self.most_in_batch = n_negatives, sparse, most_in_batch
        self.draw = ItemDraws(item_counts, power)
        taken = torch.from_numpy(item_counts[1:]).double()
        self.popularity = taken / taken.sum().clamp(min=1)  # [n_items]

    def __call__(
        self, states: Tensor, table: Tensor, targets: Tensor, rows: Tensor | None = None
    ) -> Tensor:
        """See ``Loss``; without ``rows`` every target is taken for another history's."""
        if self.n_negatives >= len(table) - 1:
            return Softmax()(states, table, targets)
        if rows is None:
            rows = torch.arange(len(targets), device=targets.device)
        items, weights, group = self.candidates(targets, rows)
        place = torch.searchsorted(items, targets.long()).clamp(max=len(items) - 1)
        own = torch.where(items[place] == targets, place, len(items))
        return candidate_cross_entropy(
            states,
            F.embedding(items, table, sparse=self.sparse),
            (states * F.embedding(targets, table, sparse=self.sparse)).sum(1),
            weights.to(states),
            group,
            own,
        )

    def candidates(self, targets: Tensor, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Choose what the targets are compared with.

        Parameters
        ----------
        targets : int tensor, shape [n_targets]
        rows : int64 tensor, shape [n_targets]
            The history that each target stands in.

        Returns
        -------
        items : int64 tensor, shape [n_candidates], rising
        log_weights : float32 tensor, shape [n_histories, n_candidates]
            What is added to a candidate's score for the rows of each history; -inf leaves it out.
        group : int64 tensor, shape [n_targets]
            The line of ``log_weights`` that is each target's.
        """
        n = len(targets)
        histories, group = torch.unique(rows, return_inverse=True)
        chosen = torch.arange(n, device=targets.device)
        if n > self.most_in_batch:
            chosen = torch.randperm(n)[: self.most_in_batch].to(targets.device)
        drawn = self.draw(self.n_negatives).to(targets.device)
        met = torch.cat([targets[chosen].long(), drawn])
        items, place, times = torch.unique(met, return_inverse=True, return_counts=True)
        own = torch.zeros(len(histories), len(items), device=targets.device)
        ones = torch.ones(len(chosen), device=targets.device)
        own.index_put_((group[chosen], place[: len(chosen)]), ones, accumulate=True)
        others = len(chosen) - own.sum(1, keepdim=True)  # [n_histories, 1]
        at = items.cpu() - 1
        shares = torch.stack([self.draw.shares[at], self.popularity[at]]).to(own)
        expected = self.n_negatives * shares[0] + others * shares[1]
        return items, ((times - own) / expected).log(), group
