"""Several trainings of one recipe on the same users, and how far such trainings differ."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


@dataclass(frozen=True)
class SeedNoise:
    """How far one training's mean outcome lies from the mean of its recipe.

    Attributes
    ----------
    variance : of the mean over the test users, between trainings that differ only in their seed.
    user_part : the part of ``variance`` that is there only because the users are finitely many:
        each training does well by other users, and that does not average out to nothing. It is
        measured on users and trainings together; 0 where it was not measured, which makes every
        test more careful.
    df : degrees of freedom of ``variance``; infinite where nothing is drawn.
    n_runs : trainings that it was measured on.
    """

    variance: float
    user_part: float
    df: float
    n_runs: int

    @property
    def floored(self) -> float:
        """``variance``, but no less than ``user_part``: few seeds may lie together by luck."""
        return max(self.variance, self.user_part)


NOTHING_DRAWN = SeedNoise(0.0, 0.0, float("inf"), 1)
"""The noise of a model without chance in it, as a counting floor."""


@dataclass(frozen=True)
class Trainings:
    """What the trainings of one recipe did to the same users, boiled down to what a test needs.

    Attributes
    ----------
    user_means : float array, shape [n_users]
        Each user's outcome, averaged over trainings.
    seed_means : float64 array, shape [n_seeds]
        Each training's outcome, averaged over users.
    interaction : float
        Variance of one user's outcome in one training, after the user's and the training's mean
        are taken out; 0 for a single training, where it cannot be known.
    """

    user_means: NDArray[np.floating] = field(repr=False)
    seed_means: NDArray[np.float64]
    interaction: float

    @property
    def n_users(self) -> int:
        """Number of users."""
        return len(self.user_means)

    @property
    def n_seeds(self) -> int:
        """Number of trainings."""
        return len(self.seed_means)

    @property
    def mean(self) -> float:
        """Mean outcome over users and trainings."""
        return float(self.seed_means.mean())

    def noise(self) -> SeedNoise | None:
        """Measure the seed noise on these trainings; None for a single one."""
        if self.n_seeds < 2:
            return None
        return SeedNoise(
            float(self.seed_means.var(ddof=1)),
            self.interaction / self.n_users,
            float(self.n_seeds - 1),
            self.n_seeds,
        )


def boil_down(outcomes: Iterable[NDArray[np.floating]]) -> Trainings:
    """Read one training after the other; only sums stay in memory.

    Parameters
    ----------
    outcomes : one float array of shape [n_users] per training, users in the same order.

    Raises
    ------
    UserError
        If there is none, or they are of different lengths.
    """
    total = np.empty(0)
    means: list[float] = []
    squares = 0.0
    for values in outcomes:
        exact = np.asarray(values, np.float64)
        if means and len(exact) != len(total):
            raise UserError(
                f"Trainings of one recipe must be measured on the same users: one has "
                f"{len(total)}, another {len(exact)}."
            )
        total = total + exact if means else exact.copy()
        means.append(float(exact.mean()))
        squares += float(exact @ exact)
    if not means or not len(total):
        raise UserError("There is no training, or no user, to measure.")
    n_seeds, n_users = len(means), len(total)
    seed_means = np.array(means)
    user_means = total / n_seeds
    interaction = 0.0
    if n_seeds > 1 and n_users > 1:
        grand = seed_means.mean()
        left = (
            squares
            - n_seeds * float(user_means @ user_means)
            - n_users * float(seed_means @ seed_means)
            + n_seeds * n_users * grand**2
        )
        interaction = max(left, 0.0) / ((n_seeds - 1) * (n_users - 1))
    return Trainings(user_means, seed_means, interaction)
