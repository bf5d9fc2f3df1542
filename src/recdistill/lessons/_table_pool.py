"""Several teachers as one: scores brought to one scale, weighted, weights picked on validation."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import torch

from recdistill.errors import UserError
from recdistill.evaluation import evaluate, expected_outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recdistill.data import PreparedData, Sequences
    from recdistill.evaluation import Recommender


def standardised(scores: torch.Tensor) -> torch.Tensor:
    """Bring every row of scores to mean 0 and deviation 1 over the items.

    A sum of raw scores would follow whoever writes the largest numbers.

    Parameters
    ----------
    scores : float tensor, shape [n, n_items + 1], column 0 -inf

    Returns
    -------
    float tensor of the same shape, column 0 -inf; a row of equal scores becomes zeros
    """
    items = scores[:, 1:]
    centred = items - items.mean(1, keepdim=True)
    deviation = centred.square().mean(1, keepdim=True).sqrt().clamp(min=1e-12)
    return torch.cat([torch.full_like(scores[:, :1], -torch.inf), centred / deviation], 1)


@dataclass
class Ensemble:
    """A weighted sum of the members' standardised scores; an ``evaluation.Recommender``.

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
            raise UserError("An ensemble needs one weight per member, and one that is not zero.")
        if {m.catalog_digest for m in self.members} != {self.catalog_digest}:
            raise UserError("The members of an ensemble must be of one catalog.")

    def score(self, histories: Sequences) -> torch.Tensor:
        """Score the catalog after each history; see ``Recommender``."""
        used = [(m, w) for m, w in zip(self.members, self.weights, strict=True) if w]
        return weighted_sum([(m.score(histories).cpu(), w) for m, w in used])


def weighted_sum(scores: Sequence[tuple[torch.Tensor, float]]) -> torch.Tensor:
    """Add up standardised scores, shape [n, n_items + 1], column 0 -inf."""
    total = torch.zeros_like(scores[0][0])
    for member, weight in scores:
        total[:, 1:] += weight * standardised(member)[:, 1:]
    total[:, 0] = -torch.inf
    return total


def weight_grid(n_members: int, steps: int) -> list[tuple[float, ...]]:
    """All weights that are multiples of ``1 / steps`` and sum to 1.

    Examples
    --------
    >>> weight_grid(2, 2)
    [(0.0, 1.0), (0.5, 0.5), (1.0, 0.0)]
    """
    counts = product(range(steps + 1), repeat=n_members)
    return [tuple(c / steps for c in count) for count in counts if sum(count) == steps]


def pick_weights(
    members: Sequence[Recommender], data: PreparedData, *, steps: int = 10, k: int = 10
) -> tuple[tuple[float, ...], float]:
    """Pick the weights with the highest validation NDCG@k; the test part is never read.

    Returns
    -------
    weights : one per member, multiples of ``1 / steps`` that sum to 1
    ndcg : float
        Of these weights on validation: the best of many, so an optimistic figure.
    """
    cases = data.val
    scores = [standardised(m.score(cases.history).cpu().float()) for m in members]
    seen = np.repeat(np.arange(len(cases.targets)), cases.history.lengths)
    targets = torch.from_numpy(cases.targets.astype(np.int64))[:, None]
    scored = []
    for weights in weight_grid(len(members), steps):
        total = torch.zeros_like(scores[0])
        for member, weight in zip(scores, weights, strict=True):
            if weight:
                total.add_(member, alpha=weight)
        total[torch.from_numpy(seen), torch.from_numpy(cases.history.items).long()] = -torch.inf
        level = total.gather(1, targets)
        n_above = (total > level).sum(1).numpy()
        n_tied = (total == level).sum(1).numpy() - 1
        # A target from its own history cannot be recommended: nothing is gained by any weight.
        hidden = level[:, 0].isinf().numpy()
        gain = np.where(hidden, 0, expected_outcome(n_above, n_tied, "ndcg", k))
        scored.append((float(gain.mean()), weights))
    ndcg, weights = max(scored)
    return weights, ndcg


def calibrated_scale(model: Recommender, data: PreparedData) -> float:
    """Return the factor on the scores at which their softmax fits the validation part best.

    Scores of floors and sums of standardised scores are in units of their own; multiplied by this
    they are logits, and a temperature of 1 means what it says.

    Parameters
    ----------
    model : Recommender
    data : PreparedData
        Only ``val`` is read; its history is masked, as in a teacher's lists.
    """
    cases = data.val
    scores = model.score(cases.history).cpu().float()
    rows = np.repeat(np.arange(len(cases.targets)), cases.history.lengths)
    targets = torch.from_numpy(cases.targets.astype(np.int64))[:, None]
    wanted = scores.gather(1, targets)
    scores[torch.from_numpy(rows), torch.from_numpy(cases.history.items).long()] = -torch.inf
    # A repeated target is left in, so that its likelihood is not zero at every scale.
    scores.scatter_(1, targets, wanted)
    spread = float(scores[:, 1:][scores[:, 1:].isfinite()].std()) or 1.0
    scales = np.geomspace(0.02, 50, 60) / spread
    likelihoods = [float((s * wanted[:, 0] - (s * scores).logsumexp(1)).mean()) for s in scales]
    return float(scales[int(np.argmax(likelihoods))])


@dataclass(frozen=True)
class Pool:
    """Several teachers as one, in terms of their raw scores.

    Attributes
    ----------
    weights : tuple of float, one per member
        Shares of the standardised scores.
    factors : tuple of float, one per member
        What a member's raw scores are multiplied by, so that their sum is a logit.
    val_ndcg : float
        NDCG@10 of the pool on validation.
    """

    weights: tuple[float, ...]
    factors: tuple[float, ...]
    val_ndcg: float


def pool(
    members: Sequence[Recommender], data: PreparedData, weights: Sequence[float] | None = None
) -> Pool:
    """Weigh teachers against each other and turn their scores into calibrated logits.

    A table keeps the top of each row, so rows cannot be standardised one by one; the mean
    deviation of a member's rows on validation stands for each row's own.

    Parameters
    ----------
    members : the teachers behind the tables
    data : PreparedData
        Only ``val`` is read.
    weights : sequence of float, optional
        Picked on validation NDCG@10 where not given.
    """
    if weights is None and len(members) > 1:
        weights, _ = pick_weights(members, data)
    elif weights is None:
        weights = (1.0,)
    ensemble = Ensemble(members, weights, data.catalog.digest)
    scale = calibrated_scale(ensemble, data)
    deviations = [_mean_deviation(m.score(data.val.history).cpu().float()) for m in members]
    ndcg = evaluate(ensemble, data.val, data.catalog, data.train).outcome("ndcg", 10).mean()
    factors = tuple(scale * w / d for w, d in zip(weights, deviations, strict=True))
    return Pool(tuple(weights), factors, float(ndcg))


def _mean_deviation(scores: torch.Tensor) -> float:
    return float(scores[:, 1:].std(1).mean().clamp(min=1e-12))
