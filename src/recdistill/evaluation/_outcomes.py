"""From the number of items above a target, and level with it, to the metrics: in closed form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from recdistill.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Metric = Literal["recall", "ndcg", "mrr"]
METRICS: tuple[Metric, ...] = get_args(Metric)
KS = (1, 5, 10, 20, 50)


def _gain_per_rank(metric: Metric, k: int) -> NDArray[np.float64]:
    """Value of one relevant item at ranks 1..k, shape [k]."""
    ranks = np.arange(1, k + 1, dtype=np.float64)
    gains = {"recall": np.ones(k), "ndcg": 1 / np.log2(ranks + 1), "mrr": 1 / ranks}
    return gains[metric]


def expected_outcome(
    n_above: NDArray[np.integer], n_tied: NDArray[np.integer], metric: Metric, k: int
) -> NDArray[np.float64]:
    """Metric of each case at cut-off ``k``, expected over all ways to break its ties.

    With ``a`` other items scored strictly above the target and ``t`` level with it, the target's
    rank is uniform on ``a + 1 .. a + t + 1``, so the expectation is the mean of the metric's gain
    over these ranks, gains beyond ``k`` being zero. There is one target per case, hence recall is
    the hit rate and the ideal DCG is 1.

    Parameters
    ----------
    n_above, n_tied : integer arrays, shape [n_cases]
    metric : recall, ndcg or mrr
    k : cut-off, at least 1

    Returns
    -------
    float64 array, shape [n_cases], values in [0, 1]

    Raises
    ------
    UserError
        For a metric that does not exist or a cut-off below 1.

    Examples
    --------
    >>> expected_outcome(np.array([0, 9, 0]), np.array([0, 1, 99]), "recall", 10).tolist()
    [1.0, 0.5, 0.1]
    """
    if metric not in METRICS or k < 1:
        raise UserError(
            f"There is no metric {metric!r} at k={k}: take one of {', '.join(METRICS)} at k >= 1."
        )
    total = np.concatenate([[0.0], np.cumsum(_gain_per_rank(metric, k))])  # [k + 1]
    first = np.minimum(n_above, k)
    if not np.any(n_tied):  # nearly always, and several times as fast
        single: NDArray[np.float64] = np.append(np.diff(total), 0.0)[first]
        return single
    last = np.minimum(n_above + n_tied + 1, k)
    outcome: NDArray[np.float64] = (total[last] - total[first]) / (n_tied + 1)
    return outcome


def hits_interval(hits: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson interval of a hit rate.

    Exact (never covers less than ``confidence``) for whole hits; an expected number of hits over
    random tie breaking may be fractional, and the same beta quantiles are then taken between the
    two whole numbers.

    Parameters
    ----------
    hits : number of hits, 0 <= hits <= n
    n : number of cases; without any the interval is all of [0, 1]

    References
    ----------
    Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the
    binomial", Biometrika 26 (1934).
    """
    # The quantile itself: scipy.stats, which wraps it, takes most of a second to import.
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    low = float(betaincinv(hits, n - hits + 1, tail)) if hits > 0 else 0.0
    high = float(betaincinv(hits + 1, n - hits, 1 - tail)) if hits < n else 1.0
    return low, high
