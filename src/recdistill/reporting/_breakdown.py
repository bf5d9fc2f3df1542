"""Where a difference comes from: users with short or long histories, rare or popular targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recdistill.data import STRATA, strata
from recdistill.evaluation import spread_over_users
from recdistill.reporting._contrast import Resampling, mean_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from recdistill.evaluation import Metric
    from recdistill.reporting._groups import Group

ATTRIBUTES = {
    "history_length": "Items in the history",
    "target_popularity": "Training interactions of the target",
    "target_age": "Age of the target item",
}
_N_BINS = 4


@dataclass(frozen=True)
class Slice:
    """Some of the test users, and what the models gained on them.

    Attributes
    ----------
    words : what these users have in common, as ``11-24``.
    gains : label of a model -> mean difference to the reference, with the 95 % interval.
    """

    words: str
    n_cases: int
    gains: dict[str, tuple[float, float, float]]


def break_down(
    groups: Sequence[Group], reference: Group, metric: Metric, resampling: Resampling
) -> dict[str, list[Slice]]:
    """Split the users by each known attribute and take the gain in each part.

    Targets go by how often training saw them, in the strata that every page has (`data.STRATA`);
    other attributes in quarters of the users.

    Returns
    -------
    Axis title -> slices from the smallest value to the largest. An attribute that is not in the
    tables, or is the same for everybody, is left out.
    """
    base = reference.outcomes.of_cases[metric]
    gains = {g.label: g.outcomes.of_cases[metric] - base for g in groups if g is not reference}
    users = reference.cases["user"].to_numpy()
    found = {}
    for column, title in ATTRIBUTES.items():
        if column not in reference.cases:
            continue
        values = reference.cases[column].to_numpy()
        parts = _strata(values) if column == "target_popularity" else _quarters(values)
        if len(parts) > 1:
            found[title] = [
                _slice(words, members, gains, users, resampling) for words, members in parts.items()
            ]
    return found


def _strata(counts: NDArray[np.integer]) -> dict[str, NDArray[np.bool_]]:
    row = strata(counts)
    return {words: row == i for i, words in enumerate(STRATA) if (row == i).any()}


def _quarters(values: NDArray[np.generic]) -> dict[str, NDArray[np.bool_]]:
    known = ~np.isnan(values.astype(float))
    edges = np.unique(np.quantile(values[known], np.linspace(0, 1, _N_BINS + 1)))
    place = np.searchsorted(edges[1:-1], values, side="left")
    members = [(place == i) & known for i in range(len(edges) - 1)]
    return {_span(values[m]): m for m in members if m.any()}


def _span(values: NDArray[np.generic]) -> str:
    low, high = values.min(), values.max()
    return f"{low:g}" if low == high else f"{low:g}\u2013{high:g}"


def _slice(
    words: str,
    members: NDArray[np.bool_],
    gains: dict[str, NDArray[np.floating]],
    users: NDArray[np.integer],
    resampling: Resampling,
) -> Slice:
    return Slice(
        words,
        int(members.sum()),
        {
            label: (
                float(gain[members].mean()),
                *mean_interval(spread_over_users(gain[members], users[members]), resampling),
            )
            for label, gain in gains.items()
        },
    )
