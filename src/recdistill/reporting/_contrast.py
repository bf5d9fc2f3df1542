"""One model against another on the same users; the statistics are the evaluation room's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from recdistill.evaluation import (
    Metric,
    bootstrap_interval,
    compare_paired,
    holm,
    permutation_test,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from recdistill.reporting._groups import Group


_BOOTSTRAP_BUDGET, _LEAST_BOOTSTRAP = 40_000, 1_000


@dataclass(frozen=True)
class Resampling:
    """How often the permutation test and the bootstrap draw, and from which seed.

    The bounds of an interval settle with far fewer draws than a small p-value needs, and drawing
    for the bootstrap takes longer: with many groups it draws less often.
    """

    n_resamples: int = 10_000
    seed: int = 0
    n_bootstrap: int = 0

    def for_groups(self, n_groups: int) -> Resampling:
        """Return it with the number of bootstrap draws that so many groups leave time for."""
        draws = max(_LEAST_BOOTSTRAP, _BOOTSTRAP_BUDGET // n_groups)
        return replace(self, n_bootstrap=min(self.n_resamples, draws))


@dataclass(frozen=True)
class Contrast:
    """The difference of one metric between two groups of runs.

    Attributes
    ----------
    of, against : labels of the groups; ``delta`` is ``of`` minus ``against``.
    low, high : 95 % bootstrap interval of ``delta`` over users.
    p, p_adjusted : two-sided; the second corrected for all tests of the report.
    test : ``McNemar`` for the hits of two single runs, else ``permutation``.
    n_needed : users that would show a difference of this size with 80 % power; infinite when there
        is no difference.
    """

    of: str
    against: str
    metric: Metric
    delta: float
    low: float
    high: float
    p: float
    p_adjusted: float
    test: str
    n_cases: int
    n_needed: float


def contrast(of: Group, against: Group, metric: Metric, k: int, resampling: Resampling) -> Contrast:
    """Test ``of`` against ``against`` over users, outcomes averaged over seeds first."""
    found = compare_paired(
        of.tables,
        against.tables,
        metric=metric,
        k=k,
        n_resamples=resampling.n_bootstrap or resampling.n_resamples,
        seed=resampling.seed,
    )
    p = found.p_mcnemar
    if p is None:
        differences = of.outcomes(metric, k).mean(0) - against.outcomes(metric, k).mean(0)
        p = permutation_test(
            differences.round(12), n_resamples=resampling.n_resamples, seed=resampling.seed
        )
    return Contrast(
        of=of.label,
        against=against.label,
        metric=metric,
        delta=found.delta,
        low=found.low,
        high=found.high,
        p=p,
        p_adjusted=p,
        test="permutation" if found.p_mcnemar is None else "McNemar",
        n_cases=found.n_users,
        n_needed=found.n_users_needed,
    )


def adjust_for_all(contrasts: Sequence[Contrast]) -> list[Contrast]:
    """Correct the p-values of all contrasts together (Holm)."""
    adjusted = holm([one.p for one in contrasts])
    return [replace(one, p_adjusted=p) for one, p in zip(contrasts, adjusted, strict=True)]


def mean_interval(values: NDArray[np.float64], resampling: Resampling) -> tuple[float, float]:
    """95 % bootstrap interval of a mean over users."""
    n_resamples = resampling.n_bootstrap or resampling.n_resamples
    return bootstrap_interval(values, n_resamples=n_resamples, seed=resampling.seed)
