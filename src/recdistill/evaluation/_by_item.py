"""Outcomes of items in place of users: where few items carry a result, they are what was drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def by_item(outcomes: NDArray[np.floating], targets: NDArray[np.integer]) -> NDArray[np.float64]:
    """Add up the outcomes of the cases that share a target, so that items can be tested as users.

    Users who took the same item are no independent cases: a model that places that item well does
    well by all of them. Each item's value is weighed by its cases: their mean over items is the
    mean over cases, and its standard error is that of a mean over cases in clusters of items. So
    ``compare_recipes`` of such values tests over items and trainings.

    Parameters
    ----------
    outcomes : float array, shape [n_cases]
        Of one training.
    targets : int array, shape [n_cases]

    Returns
    -------
    float64 array, shape [n_targets]
        One value per item that is a target, in the order of their ids.

    References
    ----------
    Liang and Zeger, "Longitudinal data analysis using generalized linear models", Biometrika 73
    (1986), for the mean alone.

    Examples
    --------
    >>> import numpy as np
    >>> by_item(np.array([1.0, 1.0, 0.0, 0.0]), np.array([7, 7, 3, 5])).tolist()
    [0.125, 0.125, 1.25]
    """
    _, place, n_cases = np.unique(targets, return_inverse=True, return_counts=True)
    values = np.asarray(outcomes, np.float64)
    mean = values.mean()
    # An item's share of the deviation from the mean: how often it is a target is not at issue.
    deviation = np.bincount(place, weights=values - mean, minlength=len(n_cases))
    of_items: NDArray[np.float64] = mean + deviation * len(n_cases) / len(values)
    return of_items
