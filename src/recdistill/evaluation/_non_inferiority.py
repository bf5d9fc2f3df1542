"""Whether a new model is not worse than the one it would replace, on the same users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.stats import norm

from recdistill.errors import UserError
from recdistill.evaluation._clusters import by_user
from recdistill.evaluation._evaluation import outcome
from recdistill.evaluation._paired import require_same_cases
from recdistill.evaluation._significance import bootstrap_interval

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from recdistill.evaluation._outcomes import Metric

Finding = Literal["better", "not worse", "undecided", "worse"]
_LEVEL, _POWER = 0.05, 0.8
_NO_MARGIN = 1e-9
# Fewer users who differ, all in one direction, are no rarer than 1 in 16 by chance: not yet 5 %. A
# bootstrap of them does not know that: of one user it has no width at all.
_FEWEST = 5


@dataclass(frozen=True)
class NonInferiority:
    """What a non-inferiority test of model ``a`` against model ``b`` found.

    It is about these two trained models: users are drawn, trainings are not.

    Attributes
    ----------
    finding : "better", "not worse", "undecided" or "worse"
        ``better``: surely above 0. ``not worse``: surely less than the margin below ``b``, or equal
        for every user.
        ``worse``: surely below 0, and not surely within the margin. Else ``undecided``: the users
        are too few. "Surely" is one-sided at 5 %, which fewer than five users cannot be.
    n_cases, n_users : int
        A user may have several cases; users are what is drawn.
    value_a, value_b, delta : float
        Means over cases; ``delta = value_a - value_b``.
    low, high : float
        90 % interval of ``delta``: each end is a one-sided 95 % bound.
    margin : float
        What ``a`` may lose, as a share of ``value_b``.
    n_users_needed : float
        Users by which two equally good models are found not worse with a power of 80 %.
    """

    finding: Finding
    n_cases: int
    n_users: int
    value_a: float
    value_b: float
    delta: float
    low: float
    high: float
    margin: float
    n_users_needed: float


def compare_to_margin(
    a: pd.DataFrame,
    b: pd.DataFrame,
    *,
    margin: float,
    metric: Metric = "ndcg",
    k: int = 10,
    rows: NDArray[np.bool_] | None = None,
    seed: int = 0,
) -> NonInferiority:
    """Test whether ``a`` loses less than ``margin`` of what ``b`` reaches.

    The margin is a share of a mean that is itself estimated, so the null hypothesis is put as
    ``mean(a - (1 - margin) * b) <= 0`` and one bootstrap over users covers both.

    Parameters
    ----------
    a, b : per-user tables (`Evaluation.per_user`) on the same cases
    margin : share of ``b``'s mean, in [0, 1)
    metric, k : the outcome compared, history masked
    rows : bool array, shape [n_cases], optional
        The cases that count.
    seed : of the bootstrap

    Raises
    ------
    UserError
        When the tables are of different cases, or no case counts.

    References
    ----------
    Piaggio et al., "Reporting of noninferiority and equivalence randomized trials", JAMA 308
    (2012), for reading the interval against zero and the margin.
    """
    require_same_cases(a, b)
    kept = np.ones(len(a), bool) if rows is None else rows
    if not kept.any():
        raise UserError("No case counts, so the two models cannot be compared on any.")
    users = a["user"].to_numpy()[kept]
    first, second = (outcome(table, metric, k)[kept] for table in (a, b))

    difference = by_user((first - second).round(12), users)
    beyond = by_user((first - (1 - margin) * second).round(12), users)
    low, high = bootstrap_interval(difference, confidence=1 - 2 * _LEVEL, seed=seed)
    least, _ = bootstrap_interval(beyond, confidence=1 - 2 * _LEVEL, seed=seed)
    finding: Finding = "undecided"
    if low > 0 and _are_enough(difference):
        finding = "better"
    elif (least > 0 and _are_enough(beyond)) or not difference.any():
        finding = "not worse"
    elif high < 0 and _are_enough(difference):
        finding = "worse"
    return NonInferiority(
        finding=finding,
        n_cases=int(kept.sum()),
        n_users=len(difference),
        value_a=float(first.mean()),
        value_b=float(second.mean()),
        delta=float(difference.mean()),
        low=low,
        high=high,
        margin=margin,
        n_users_needed=_users_needed(difference, margin * float(second.mean())),
    )


def _are_enough(values: NDArray[np.floating]) -> bool:
    return int(np.count_nonzero(values)) >= _FEWEST


def _users_needed(difference: NDArray[np.floating], margin: float) -> float:
    """Users for whom a true difference of zero is found within the absolute margin."""
    spread = float(difference.std())
    if spread == 0:
        return 1.0
    if margin < _NO_MARGIN:
        return float("inf")
    z = float(norm.ppf(1 - _LEVEL) + norm.ppf(_POWER))
    return float(np.ceil((z * spread / margin) ** 2))
