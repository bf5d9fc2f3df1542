"""Plan a verdict about two recipes: how many seeds, how many users it would take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy.stats import nct
from scipy.stats import t as student_t

from recdistill.evaluation._recipes import careful_df

if TYPE_CHECKING:
    from recdistill.evaluation._trainings import SeedNoise

MOST_SEEDS = 32
_MOST_USERS = 1e9


@dataclass(frozen=True)
class Plan:
    """What it takes to find a difference of this size.

    Attributes
    ----------
    n_seeds : trainings a side with the users at hand; infinite where more than ``MOST_SEEDS``.
    n_users : users with ``seeds_for_users`` trainings a side; infinite where no number is enough.
    """

    n_seeds: float
    n_users: float
    seeds_for_users: int


def plan_verdict(
    delta: float,
    user_variance: float,
    noise_a: SeedNoise,
    noise_b: SeedNoise,
    n_users: int,
    *,
    seeds_for_users: int = 5,
    power: float = 0.8,
    level: float = 0.05,
) -> Plan:
    """Plan an experiment that finds a difference of size ``delta`` with the power asked.

    Parameters
    ----------
    delta : the difference to find.
    user_variance : squared standard error from users alone with ``n_users``
        (`RecipeTest.user_variance`).
    noise_a, noise_b : seed noise of either recipe with ``n_users``.
    n_users : the users at hand.
    """

    def found(n_seeds: int, users: float) -> bool:
        return _power(delta, user_variance, noise_a, noise_b, n_seeds, n_users / users, level) >= (
            power
        )

    seeds = next((n for n in range(2, MOST_SEEDS + 1) if found(n, n_users)), math.inf)
    users = math.inf
    if delta and found(seeds_for_users, _MOST_USERS):
        low, high = 1.0, _MOST_USERS
        while high / low > 1.005:
            middle = math.sqrt(low * high)
            low, high = (low, middle) if found(seeds_for_users, middle) else (middle, high)
        users = math.ceil(high)
    return Plan(seeds, users, seeds_for_users)


def _power(
    delta: float,
    user_variance: float,
    noise_a: SeedNoise,
    noise_b: SeedNoise,
    n_seeds: int,
    shrink: float,
    level: float,
) -> float:
    """Power with ``n_seeds`` a side; ``shrink`` is the users at hand over the users planned."""
    parts = []
    for noise in (noise_a, noise_b):
        lasting, least = noise.floored - noise.user_part, noise.user_part * shrink
        df = math.inf if noise.floored == 0 else float(n_seeds - 1)
        parts.append(((lasting + least) / n_seeds, least / n_seeds, df))
    known = user_variance * shrink
    error = math.sqrt(known + sum(value for value, _, _ in parts))
    if error == 0:
        return float(delta != 0)
    df = careful_df(known, parts)
    bound, shift = float(student_t.ppf(1 - level / 2, df)), abs(delta) / error
    if math.isinf(df) or df > 1e6:
        return float(student_t.cdf(shift - bound, df))
    return float(nct.sf(bound, df, shift))
