"""Outcomes of users or items in place of cases: what was drawn together counts as one."""

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
    return by_number(outcomes, number_ids(targets))


def by_user(outcomes: NDArray[np.floating], users: NDArray[np.integer]) -> NDArray[np.float64]:
    """Add up the outcomes of a user's cases, where some user has several, as `by_item` does.

    Users are drawn and not cases: of ``temporal.targets=all`` a user's cases go well or badly
    together, and counted one by one they would make intervals too narrow.

    Parameters
    ----------
    outcomes : float array, shape [n_cases]
        Of one training.
    users : int array, shape [n_cases]

    Returns
    -------
    float64 array, shape [n_users]
        In the order of the cases where each user has one, else in that of the users' ids.
    """
    numbers = number_repeated(users)
    return np.asarray(outcomes, np.float64) if numbers is None else by_number(outcomes, numbers)


def spread_over_users(
    outcomes: NDArray[np.floating], users: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Give every user a value of which the mean over cases has the interval of a mean over users.

    With ``R`` the mean over cases and ``s_u``, ``n_u`` a user's sum of outcomes and number of
    cases: ``R + (s_u - R n_u) n_users / n_cases``, the linearised ratio of the two sums (Cochran,
    "Sampling Techniques", 1977, chapter 6). Sums alone, as in `by_user`, would make the spread of
    ``n_u`` one of the metric: they are for differences, whose mean is near 0.

    Parameters
    ----------
    outcomes : float array, shape [n_cases]
    users : int array, shape [n_cases]

    Returns
    -------
    float64 array, shape [n_users]
        The outcomes themselves where each user has one case.
    """
    numbers = number_repeated(users)
    if numbers is None:
        return np.asarray(outcomes, np.float64)
    mean = float(np.mean(outcomes))
    return mean + by_number(np.asarray(outcomes, np.float64) - mean, numbers)


def number_ids(ids: NDArray[np.integer]) -> NDArray[np.int64]:
    """Give users or targets numbers from 0 in the order of their ids, shape [n_cases].

    With many models on the same cases this is done once, and `by_number` for each.
    """
    numbers: NDArray[np.int64] = np.unique(ids, return_inverse=True)[1]
    return numbers


def number_repeated(ids: NDArray[np.integer]) -> NDArray[np.int64] | None:
    """Do what `number_ids` does, where an id occurs twice; else return None."""
    numbers = number_ids(ids)
    return numbers if int(numbers.max(initial=-1)) + 1 < len(numbers) else None


def by_number(outcomes: NDArray[np.floating], numbers: NDArray[np.integer]) -> NDArray[np.float64]:
    """Do what `by_item` does, with ids numbered before, shape [n_ids]."""
    sums = np.bincount(numbers, weights=np.asarray(outcomes, np.float64))
    of_items: NDArray[np.float64] = sums * len(sums) / len(outcomes)
    return of_items
