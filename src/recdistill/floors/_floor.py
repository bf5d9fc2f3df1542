"""The shape all floors share: votes of the newest items over a popularity prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from recdistill.data import Sequences
from recdistill.floors._votes import sum_of_votes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from recdistill.floors._config import FloorKind
    from recdistill.floors._votes import Votes


@dataclass(frozen=True)
class Totals:
    """What a counting floor's counts come back from, so that later ones can be added to them.

    Attributes
    ----------
    taken : int64 tensor, shape [n_items + 1]
        Interactions of every item.
    given, received : float32 tensors, shape [n_items + 1], or None
        Sums of the followers' counts by row and by column, where votes were shared out.
    """

    taken: torch.Tensor
    given: torch.Tensor | None = None
    received: torch.Tensor | None = None


@dataclass(frozen=True)
class Floor:
    """A cheap recommender: the newest items of a history vote for what comes next.

    ``score(h)[i] = sum_a decay^a * votes[h[-1 - a], i] + prior[i]`` with the age ``a`` running over
    the newest ``n_voters`` items. The kinds differ in how ``votes`` is counted; popularity
    has none. An empty history, or one nobody in training shares an item with, falls back on the
    prior: the popular items.

    Attributes
    ----------
    kind : str
    config : mapping
        The settings it was fitted with, as plain values.
    catalog_digest : str
    votes : Votes, shape [n_items + 1, n_items + 1]
        Dense or sparse. Row and column 0 are zero. A floor without voters keeps one row of zeros.
    prior : float32 tensor, shape [n_items + 1], not negative
    n_voters : int
    decay : float, in (0, 1]
    totals : Totals, optional
        Of the kinds that count, unless an older version saved the floor.
    inverse_diagonal : float32 tensor, shape [n_items + 1], optional
        Of EASE, unless an older version saved it: what its weights were divided by, with which the
        inverse comes back from them.
    """

    kind: FloorKind
    config: Mapping[str, Any]
    catalog_digest: str
    votes: Votes
    prior: torch.Tensor
    n_voters: int
    decay: float
    totals: Totals | None = None
    inverse_diagonal: torch.Tensor | None = None

    @property
    def n_items(self) -> int:
        """Number of items, padding not counted."""
        return len(self.prior) - 1

    def score(self, histories: Sequences) -> torch.Tensor:
        """Score the catalog after each history, shape [n_rows, n_items + 1]; see `Recommender`."""
        newest = histories.tail(self.n_voters)
        ages = np.repeat(newest.offsets[1:], newest.lengths) - 1 - np.arange(len(newest.items))
        scores = sum_of_votes(self.votes, newest, self._weights(ages))
        return self._with_prior(scores)

    def score_prefixes(self, histories: Sequences) -> torch.Tensor:
        """Score the catalog after every prefix of every row, shape [n_interactions, n_items + 1].

        Row ``offsets[r] + p`` is the score after the first ``p`` items of row ``r``, so it belongs
        to the item that stands there; of ``p = 0`` it is the prior.
        """
        if self.n_voters == 0 or isinstance(self.votes, torch.Tensor):
            scores = torch.empty(len(histories.items), self.n_items + 1)
            for row in range(len(histories)):
                start, stop = histories.offsets[row : row + 2]
                self._sum_votes(histories.items[start:stop], scores[start:stop].numpy())
            return self._with_prior(scores)
        _, positions = histories.keys()
        lengths = np.minimum(positions, self.n_voters)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        ends = np.arange(len(positions))
        source = np.repeat(ends - lengths - offsets[:-1], lengths) + np.arange(offsets[-1])
        return self.score(Sequences(histories.items[source], offsets))

    def _sum_votes(self, items: NDArray[np.int32], sums: NDArray[np.float32]) -> None:
        """Write what has been voted after every prefix of one row into [length, n_items + 1].

        What was voted one item before counts less by one step, the newest item's votes come in, and
        those of the item that is too old go out: an item's votes are read twice, where scoring each
        prefix on its own reads them ``n_voters`` times.
        """
        if self.n_voters == 0:
            sums[:] = 0
            return
        sums[:1] = 0
        votes = self.votes.numpy()
        # Single precision would leave a rest of what has gone out, and a pool takes logarithms.
        now, part = np.zeros((2, sums.shape[1]))
        last = self.decay**self.n_voters
        for place in range(1, len(items)):
            now *= self.decay
            now += votes[items[place - 1]]
            if place > self.n_voters:
                oldest = votes[items[place - 1 - self.n_voters]]
                now -= np.multiply(oldest, last, out=part, dtype=np.float64)
            sums[place] = now

    def _weights(self, ages: NDArray[np.int64]) -> NDArray[np.float32]:
        weights: NDArray[np.float32] = (float(self.decay) ** ages).astype(np.float32)
        return weights

    def _with_prior(self, scores: torch.Tensor) -> torch.Tensor:
        scores += self.prior
        scores[:, 0] = -torch.inf
        return scores
