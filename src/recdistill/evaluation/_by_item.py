"""Outcomes of items in place of users: where few items carry a result, they are what was drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def by_item(outcomes: NDArray[np.floating], targets: NDArray[np.integer]) -> NDArray[np.float64]:
    """Add up the outcomes of the cases that share a target, so that items can be tested as users.

    Users who took the same item are no independent cases: a model that places that item well does
    well by all of them. An item's value is the sum over its cases, scaled so that the mean over
    items is the mean over cases: ``compare_recipes`` of such values tests over items and trainings.
    How often an item is a target counts as drawn with it. The ratio of sums, which takes that as
    given, is too sure of itself where one item has a large share of the cases.

    Parameters
    ----------
    outcomes : float array, shape [n_cases]
        Of one training.
    targets : int array, shape [n_cases]

    Returns
    -------
    float64 array, shape [n_targets]
        One value per item that is a target, in the order of their ids.

    Examples
    --------
    >>> import numpy as np
    >>> by_item(np.array([1.0, 1.0, 0.0, 0.5]), np.array([7, 7, 3, 5])).tolist()
    [0.0, 0.375, 1.5]
    """
    _, place = np.unique(targets, return_inverse=True)
    sums = np.bincount(place, weights=np.asarray(outcomes, np.float64))
    of_items: NDArray[np.float64] = sums * len(sums) / len(outcomes)
    return of_items
