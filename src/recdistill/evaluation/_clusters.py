"""Users or items in place of cases: what was drawn together counts as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Clusters:
    """Which cases belong together: those of one user, or those of one target.

    Parameters
    ----------
    ids : int array, shape [n_cases]
        Of the user or the target of each case.
    """

    def __init__(self, ids: NDArray[np.integer]) -> None:
        self.numbers: NDArray[np.int64] = np.unique(ids, return_inverse=True)[1]
        self.n = int(self.numbers.max(initial=-1)) + 1

    @property
    def has_pairs(self) -> bool:
        """Whether any two cases belong together."""
        return self.n < len(self.numbers)

    def add_up(self, outcomes: NDArray[np.floating]) -> NDArray[np.float64]:
        """Add up the outcomes of each cluster, so scaled that their mean is the mean over cases.

        Returns
        -------
        float64 array, shape [n]
            In the order of the ids.
        """
        sums = np.bincount(self.numbers, np.asarray(outcomes, np.float64), self.n)
        of_clusters: NDArray[np.float64] = sums * self.n / len(outcomes)
        return of_clusters


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
    return Clusters(targets).add_up(outcomes)


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
    clusters = Clusters(users)
    return clusters.add_up(outcomes) if clusters.has_pairs else np.asarray(outcomes, np.float64)


def spread_over_users(
    outcomes: NDArray[np.floating], users: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Give one value a user, for the interval of a mean over cases.

    With ``R`` the mean over cases and ``s_u``, ``n_u`` a user's sum of outcomes and number of
    cases: ``R + (s_u - R n_u) n_users / n_cases``, the linearised ratio of the two sums (Cochran,
    "Sampling Techniques", 1977, chapter 6). The values' mean is ``R``, and they spread as ``R``
    does when other users are drawn. The sums of `by_user` spread with ``n_u`` too: they are for
    differences, whose mean is near 0.

    Parameters
    ----------
    outcomes : float array, shape [n_cases]
    users : int array, shape [n_cases]

    Returns
    -------
    float64 array, shape [n_users]
        The outcomes themselves where each user has one case.
    """
    exact, clusters = np.asarray(outcomes, np.float64), Clusters(users)
    if not clusters.has_pairs:
        return exact
    mean = float(exact.mean())
    return mean + clusters.add_up(exact - mean)
