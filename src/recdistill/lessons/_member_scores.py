"""What several teachers say about validation cases that none of them was fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from recdistill.evaluation import expected_outcome
from recdistill.lessons._stacking import comparable, stack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from recdistill.data import PreparedData
    from recdistill.evaluation import Metric, Recommender

_MOST_CASES = 3000
_MOST_BYTES = 2**30  # of all members' scores; weighing them takes about three times as much


@dataclass(frozen=True)
class MemberScores:
    """Comparable scores of some held-out cases, one tensor per member.

    Attributes
    ----------
    terms : list of float tensors, each [n_cases, n_items + 1], column 0 -inf; see ``comparable``
    targets : int64 tensor, shape [n_cases]
    hidden : bool tensor, shape [n_cases, n_items + 1]
        The items already seen, which are not ranked. A target among them is missed.
    """

    terms: list[torch.Tensor]
    targets: torch.Tensor
    hidden: torch.Tensor

    def weights(self, start: Sequence[float] | None = None) -> tuple[float, ...]:
        """Weigh the members by the targets' likelihood; see ``stack``."""
        return stack(self.terms, self.targets, self.hidden, start=start)[0]

    def without(self, member: int) -> MemberScores:
        """Return what the others say."""
        others = [term for place, term in enumerate(self.terms) if place != member]
        return MemberScores(others, self.targets, self.hidden)

    def outcome(
        self, weights: Sequence[float], metric: Metric = "ndcg", k: int = 10
    ) -> NDArray[np.float64]:
        """Rank by the weighted sum of the members, one outcome per case."""
        weighted = zip(weights, self.terms, strict=True)
        total = sum((w * term for w, term in weighted if w), torch.zeros(()))
        if not total.ndim:
            return np.zeros(len(self.targets))
        shown = total.masked_fill(self.hidden, -torch.inf)  # [n_cases, n_items + 1]
        own = shown.gather(1, self.targets[:, None])  # [n_cases, 1]
        missed = torch.isinf(own[:, 0])
        n_above = (shown > own).sum(1).masked_fill(missed, shown.shape[1])
        n_tied = ((shown == own).sum(1) - 1).masked_fill(missed, 0)
        return expected_outcome(n_above.numpy(), n_tied.numpy(), metric, k)

    def take(self, rows: NDArray[np.bool_]) -> MemberScores:
        """Return some of the cases."""
        kept = torch.from_numpy(rows)
        return MemberScores([t[kept] for t in self.terms], self.targets[kept], self.hidden[kept])


def member_scores(
    members: Sequence[Recommender], data: PreparedData, *, seed: int = 0
) -> MemberScores:
    """Ask every member about the same validation cases.

    Parameters
    ----------
    members : sequence of Recommender
    data : PreparedData
        Only ``val`` is read: at most 3,000 cases of it, and fewer where all members' scores of so
        many would take more than a GiB.
    seed : int
        Which cases, where not all.
    """
    cases, n_columns = data.val, data.catalog.n_items + 1
    n_cases = min(_MOST_CASES, max(1, _MOST_BYTES // (4 * n_columns * len(members))))
    some = np.sort(np.random.default_rng(seed).permutation(len(cases.targets))[:n_cases])
    history = cases.history.take(some)
    terms = [comparable(m, m.score(history).float().cpu()) for m in members]
    hidden = torch.zeros(len(some), n_columns, dtype=torch.bool)
    rows, _ = history.keys()
    hidden[torch.from_numpy(rows), torch.from_numpy(history.items).long()] = True
    return MemberScores(terms, torch.from_numpy(cases.targets[some].astype(np.int64)), hidden)
