"""Several teachers as one: a weighted sum of comparable scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recdistill.errors import UserError
from recdistill.floors import Floor, refit_without
from recdistill.lessons._member_scores import member_scores
from recdistill.lessons._positions import score_every_position
from recdistill.lessons._stacking import comparable
from recdistill.lessons._worth import weigh_by_ndcg

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from recdistill.data import PreparedData, Sequences
    from recdistill.evaluation import Recommender
    from recdistill.lessons._config import WeighBy
    from recdistill.lessons._member_scores import MemberScores


@dataclass
class Pool:
    """A log-linear opinion pool; an ``evaluation.Recommender`` whose scores are logits.

    Attributes
    ----------
    members : sequence of Recommender, all of one catalog
    weights : sequence of float
    catalog_digest : str
    """

    members: Sequence[Recommender]
    weights: Sequence[float]
    catalog_digest: str

    def __post_init__(self) -> None:
        if len(self.members) != len(self.weights) or not any(self.weights):
            raise UserError("A pool needs one weight per member, and one that is not zero.")
        if {m.catalog_digest for m in self.members} != {self.catalog_digest}:
            raise UserError("The members of a pool must be of one catalog.")

    def score(self, histories: Sequences) -> torch.Tensor:
        """Score the catalog after each history; see ``Recommender``."""
        # A model may keep what it answers, so its scores are not changed in place.
        return self._together(
            lambda member: comparable(member, member.score(histories).float().cpu())
        )

    def score_every_position(self, histories: Sequences) -> torch.Tensor:
        """Score the catalog before every item of every row; see ``score_every_position``."""
        return self._together(
            lambda member: comparable(
                member, score_every_position(member, histories), in_place=True
            )
        )

    def without(self, users: NDArray[np.int64], data: PreparedData) -> Pool:
        """Return the pool with its floors refitted on the training rows of all other users."""
        members = [
            refit_without(m, data.train, users, data.catalog)
            if isinstance(m, Floor) and weight
            else m
            for m, weight in zip(self.members, self.weights, strict=True)
        ]
        return Pool(members, self.weights, self.catalog_digest)

    def _together(self, ask: Callable[[Recommender], torch.Tensor]) -> torch.Tensor:
        """Sum the members' terms; each is this method's to change."""
        asked = [pair for pair in zip(self.members, self.weights, strict=True) if pair[1]]
        (first, its_weight), *others = asked
        total = ask(first).float().mul_(float(its_weight))
        for member, weight in others:
            total.add_(ask(member), alpha=float(weight))
        return total


def weigh(
    members: Sequence[Recommender],
    data: PreparedData,
    weights: Sequence[float] | None = None,
    *,
    by: WeighBy = "likelihood",
    scores: MemberScores | None = None,
) -> Pool:
    """Return the pool of these members, its weights fitted on validation where not given.

    On ML-100K, weighed on one half of the validation users and measured on the other, weights by
    likelihood made the targets more likely than shares of standardised scores that were picked by
    NDCG@10, in every split and with every set of several members; a single member's weight is its
    inverse temperature.

    Parameters
    ----------
    members : sequence of Recommender
        Fitted on the training part alone.
    data : PreparedData
    weights : sequence of float, optional
        Taken as they are.
    by : "likelihood" or "ndcg"
        See ``weigh_by_ndcg`` for the latter.
    scores : MemberScores, optional
        What the members say about validation cases, where it is known already.

    Raises
    ------
    UserError
        When all weights are 0.
    """
    if weights is None:
        scores = scores or member_scores(members, data)
        found: Sequence[float] = scores.weights()
        if by == "ndcg" and any(found):
            found = weigh_by_ndcg(scores, found)
    else:
        found = weights
    if weights is None and not any(found):
        raise UserError(
            "On validation none of these teachers is better than guessing, so there is nothing to "
            "learn from them: name another teacher, or give the weights (run:1.0)."
        )
    return Pool(members, tuple(found), data.catalog.digest)
