"""Is one recipe better than another? Users and trainings are both drawn, and both are counted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy.stats import t as student_t

from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recdistill.evaluation._trainings import SeedNoise, Trainings

_CARE = 4.0
"""Of `careful_df`: chosen by simulation so that no case of two to eight trainings a side, equal or
unequal in number and noise, rejects much above its level (`python -m benchmarks.calibration`)."""


@dataclass(frozen=True)
class RecipeTest:
    """What a comparison of recipe ``a`` with recipe ``b`` found.

    Attributes
    ----------
    delta, low, high : float
        Difference of the means, and its interval over users and trainings.
    p : float
        Two-sided.
    standard_error, df : float
        Of ``delta``.
    user_variance : float
        Part of the squared standard error that comes from users alone: what remains when both
        recipes are trained without end. Falls with the number of users.
    noise_a, noise_b : SeedNoise
        How far single trainings of each lie apart.
    n_users, n_seeds_a, n_seeds_b : int
    """

    delta: float
    low: float
    high: float
    p: float
    standard_error: float
    df: float
    user_variance: float
    noise_a: SeedNoise
    noise_b: SeedNoise
    n_users: int
    n_seeds_a: int
    n_seeds_b: int

    def within(self, margin: float) -> bool:
        """Whether the interval lies inside -margin to +margin: the two are as good as equal."""
        return -margin < self.low and self.high < margin

    def not_worse_by(self, margin: float) -> bool:
        """Whether the interval lies above -margin: ``a`` reaches ``b``."""
        return self.low > -margin


def compare_recipes(
    a: Trainings,
    b: Trainings,
    *,
    noise_a: SeedNoise | None = None,
    noise_b: SeedNoise | None = None,
    confidence: float = 0.95,
) -> RecipeTest:
    """Test the difference of two recipes by what would change with other users *and* other seeds.

    The squared standard error is the sum of three parts: the variance over users of the difference
    of seed-averaged outcomes over the number of users, and for either side the variance of its
    seed means over the number of its seeds. The first already holds what the user-by-training
    interaction adds, and so do the others, so it is taken out of the first (Welch's test of seed
    means is what remains where users do not matter, the paired test of users where seeds do not).
    No side's variance is taken lower than its interaction alone makes it, so the test is never
    surer than the one of users alone. Degrees of freedom after Satterthwaite, at the less
    favourable share of each side (`careful_df`).

    Parameters
    ----------
    a, b : the trainings, on the same users in the same order.
    noise_a, noise_b : seed noise known from more trainings than these; needed for a side with a
        single training. Default: measured on the trainings given.

    Raises
    ------
    UserError
        Where a side has one training and its noise is not given, or the users differ in number.

    References
    ----------
    Satterthwaite, "An approximate distribution of estimates of variance components", Biometrics
    Bulletin 2 (1946). Welch, "The generalization of 'Student's' problem when several different
    population variances are involved", Biometrika 34 (1947).

    Examples
    --------
    >>> import numpy as np
    >>> from recdistill.evaluation import boil_down
    >>> a = boil_down(np.array([[1.0, 1, 0, 1], [1, 1, 1, 0], [1, 0, 1, 1]]))
    >>> b = boil_down(np.array([[0.0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]]))
    >>> compare_recipes(a, b).delta
    0.5
    """
    if a.n_users != b.n_users:
        raise UserError(
            f"These recipes were measured on {a.n_users} and {b.n_users} users: compare runs made "
            "on the same prepared data."
        )
    noise_a, noise_b = noise_a or a.noise(), noise_b or b.noise()
    if noise_a is None or noise_b is None:
        raise UserError(
            "One training a side compares two models, not two recipes: train with more seeds, or "
            "give the seed noise that is known from earlier trainings."
        )
    differences = a.user_means - b.user_means
    both = float(differences.var(ddof=1)) / a.n_users if a.n_users > 1 else math.inf
    of_users = max(0.0, both - noise_a.user_part / a.n_seeds - noise_b.user_part / b.n_seeds)
    parts = [
        (noise.variance / side.n_seeds, noise.user_part / side.n_seeds, noise.df)
        for noise, side in ((noise_a, a), (noise_b, b))
    ]
    delta = a.mean - b.mean
    variance = of_users + sum(max(value, least) for value, least, _ in parts)
    df = careful_df(of_users, parts)
    error = math.sqrt(variance)
    half = float(student_t.ppf((1 + confidence) / 2, df)) * error
    p = float(2 * student_t.sf(abs(delta) / error, df)) if error > 0 else float(delta == 0)
    return RecipeTest(
        delta=delta,
        low=delta - half,
        high=delta + half,
        p=min(p, 1.0),
        standard_error=error,
        df=df,
        user_variance=of_users,
        noise_a=noise_a,
        noise_b=noise_b,
        n_users=a.n_users,
        n_seeds_a=a.n_seeds,
        n_seeds_b=b.n_seeds,
    )


def careful_df(known: float, parts: Sequence[tuple[float, float, float]]) -> float:
    """Degrees of freedom of a sum of variances, some of them measured on very few trainings.

    Satterthwaite's formula takes the measured parts for the true ones. A part measured on two
    trainings is often far too small, and then the formula says that it hardly matters. So each part
    in turn is also taken ``1 + 4 / df**2`` times as large (5 times for two trainings, twice for
    three, 1.25 times for five), and the least favourable answer holds. A part that even so is not
    above what users alone make it stands at that, which is known well.

    Parameters
    ----------
    known : the part with as good as infinite degrees of freedom.
    parts : of each other part its variance, the least that users alone make it, and the degrees of
        freedom of the variance.
    """
    least_df = math.inf
    for raised in (None, *range(len(parts))):
        total, squares = known, 0.0
        for i, (value, least, df) in enumerate(parts):
            taken = value * (1 + _CARE / df**2) if i == raised else value
            total += max(taken, least)
            squares += taken**2 / df if taken > least else 0.0
        if squares > 0:
            least_df = min(least_df, total**2 / squares)
    return least_df
