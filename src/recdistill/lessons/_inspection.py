"""What is in a teacher's lessons: how often right, how sure, how popular, how stale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from recdistill.lessons._lessons import shuffled
from recdistill.lessons._selection import overlap

if TYPE_CHECKING:
    from torch import Tensor

    from recdistill.lessons._lessons import Lessons
    from recdistill.lessons._selection import BaselineView

_BINS = 10


@dataclass(frozen=True)
class Inspection:
    """Statistics of lessons, over the training targets that have a teacher's list.

    Attributes
    ----------
    n_covered : int
    coverage : float
        Share of the training targets that have a list.
    hit_rate : float
        Share of targets whose true item is among the list's first ten.
    hit_rate_shuffled : float
        The same after dealing the rows out at random: what popularity alone would hit. A table
        whose own hit rate is no higher belongs to other users.
    claimed : float
        Mean probability the teacher gives to its first ten; a calibrated one equals ``hit_rate``.
    calibration_error : float
        Mean distance between claimed and found hits over ten bins of equal size.
    agreement : float or None
        Mean share of the first ten that the baseline lists too, on its own training positions.
    popularity, popularity_of_targets : float
        Mean popularity percentile (0 rare, 1 popular) of the listed and of the true items.
    repeated_items : float
        Share of rows that list an item twice.
    stale : float
        Share of rows equal to the row before of the same user, though an item came in between.
    most_common_list : float
        Share of rows that have the most common list.
    """

    n_covered: int
    coverage: float
    hit_rate: float
    hit_rate_shuffled: float
    claimed: float
    calibration_error: float
    agreement: float | None
    popularity: float
    popularity_of_targets: float
    repeated_items: float
    stale: float
    most_common_list: float


def inspect_lessons(
    lessons: Lessons, n_items: int, baseline: BaselineView | None = None
) -> Inspection:
    """Look into lessons whose logits are calibrated.

    Parameters
    ----------
    lessons : Lessons
    n_items : int
    baseline : BaselineView, optional
    """
    covered, train = lessons.covered, lessons.sequences
    targets = torch.from_numpy(train.items)
    listed = lessons.items[:, :10]
    hits = _hits(listed, targets)[covered]
    claimed = lessons.logits[:, :10].exp().sum(1)[covered]
    counts = np.bincount(train.items, minlength=n_items + 1)
    ranks = torch.zeros(n_items + 1)
    ranks[1 + torch.from_numpy(np.argsort(counts[1:], kind="stable"))] = torch.linspace(
        0, 1, n_items
    )
    there = listed[covered]
    same_user = torch.ones(len(targets), dtype=torch.bool)
    same_user[lessons.offsets[:-1][lessons.offsets[:-1] < len(targets)]] = False
    before = torch.roll(listed, 1, 0)
    comparable = covered & torch.roll(covered, 1) & same_user
    unchanged = (listed == before).all(1)[comparable]
    in_order = there.sort(1).values
    _, times = torch.unique(there, dim=0, return_counts=True)
    n_targets = int(same_user.sum())
    return Inspection(
        n_covered=int(covered.sum()),
        coverage=int(covered.sum()) / max(1, n_targets),
        hit_rate=float(hits.mean()),
        hit_rate_shuffled=float(_hits(shuffled(lessons, 0).items[:, :10], targets)[covered].mean()),
        claimed=float(claimed.mean()),
        calibration_error=_calibration_error(claimed, hits),
        agreement=(
            float(overlap(there, baseline.items[covered][:, :10]).float().mean()) / listed.shape[1]
            if baseline
            else None
        ),
        popularity=float(ranks[there.long()][there > 0].mean()),
        popularity_of_targets=float(ranks[targets.long()[covered]].mean()),
        repeated_items=float(
            ((in_order[:, 1:] == in_order[:, :-1]) & (in_order[:, 1:] > 0)).any(1).float().mean()
        ),
        stale=float(unchanged.float().mean()) if len(unchanged) else 0.0,
        most_common_list=float(times.max()) / len(there),
    )


def _hits(listed: Tensor, targets: Tensor) -> Tensor:
    return (listed == targets[:, None]).any(1).float()


def _calibration_error(claimed: Tensor, hits: Tensor) -> float:
    order = claimed.argsort()
    errors = [
        (claimed[part].mean() - hits[part].mean()).abs() * len(part)
        for part in torch.tensor_split(order, _BINS)
        if len(part)
    ]
    return float(torch.stack(errors).sum()) / len(claimed)
