"""What the trainings of one recipe did to every test case, boiled down to what a report needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from recdistill.evaluation import Metric, boil_down, expected_outcome, outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from recdistill.evaluation import Clusters, Trainings

K = 10
"""Length of the list that a report judges."""
DEPTH = 50
"""Of the recall curve."""
HEADLINE: tuple[Metric, ...] = ("recall", "ndcg")
"""Metrics that are tested; the first decides the verdict."""
SHOWN: tuple[Metric, ...] = (*HEADLINE, "mrr")


@dataclass(frozen=True)
class CaseOutcomes:
    """The outcomes of one recipe at `K`; per-user tables of a million users need not stay.

    Attributes
    ----------
    of_cases : dict of float64 array by metric, shape [n_cases]
        Means over trainings, in the order of the per-user tables.
    over_users : dict of Trainings by metric
        Of every user, see `evaluation.by_user`; where each has one case, in the same order.
    over_items : dict of Trainings by tested metric
        Of every target, see `evaluation.by_item`; empty where all cases have one target.
    recall_at : float64 array, shape [DEPTH]
        Mean recall at 1, 2, ... over cases and trainings.
    certain : bool
        Whether each user has one case and no hit hangs on a tie.
    """

    of_cases: dict[Metric, NDArray[np.floating]] = field(repr=False)
    over_users: dict[Metric, Trainings]
    over_items: dict[Metric, Trainings]
    recall_at: NDArray[np.float64] = field(repr=False)
    certain: bool


def boil_cases(
    tables: Sequence[pd.DataFrame],
    targets: Clusters,
    users: Clusters,
) -> CaseOutcomes:
    """Boil down the per-user tables of a recipe's trainings.

    Parameters
    ----------
    tables : of the same cases, one per training.
    targets, users : which of these cases have the same target, and which the same user.
    """
    of_cases, over_users, over_items = {}, {}, {}
    certain = not users.has_pairs
    for metric in SHOWN:
        values = [outcome(table, metric, K) for table in tables]
        over_cases = boil_down(values)
        of_cases[metric] = over_cases.user_means
        over_users[metric] = over_cases
        if users.has_pairs:
            over_users[metric] = boil_down(map(users.add_up, values))
        if metric == "recall":
            certain = certain and all(bool(np.isin(of_one, (0, 1)).all()) for of_one in values)
        if targets.n > 1 and metric in HEADLINE:
            over_items[metric] = boil_down(map(targets.add_up, values))
    curve = np.mean([_recall_curve(table) for table in tables], axis=0)
    return CaseOutcomes(of_cases, over_users, over_items, curve, certain)


def _recall_curve(table: pd.DataFrame) -> NDArray[np.float64]:
    """Mean recall at 1 to ``DEPTH``, shape [DEPTH]; ranks without a tie are simply counted."""
    above, tied = table["n_above"].to_numpy(), table["n_tied"].to_numpy()
    alone = tied == 0
    counts = np.bincount(np.minimum(above[alone], DEPTH), minlength=DEPTH + 1)
    hits = np.cumsum(counts[:DEPTH]).astype(np.float64)
    if not alone.all():
        above, tied = above[~alone], tied[~alone]
        hits += [expected_outcome(above, tied, "recall", k).sum() for k in range(1, DEPTH + 1)]
    share: NDArray[np.float64] = hits / len(alone)
    return share
