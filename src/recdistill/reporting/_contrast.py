"""One model against another on the same users; the statistics are the evaluation room's."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from recdistill.evaluation import (
    Metric,
    SeedNoise,
    bootstrap_interval,
    compare_recipes,
    compare_users,
    holm,
    plan_verdict,
)
from recdistill.reporting._case_outcomes import K

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from recdistill.evaluation import Plan, Trainings
    from recdistill.reporting._groups import Group
    from recdistill.reporting._history import History


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
    about : ``methods`` where users and trainings are both counted, which takes two trainings a side
        or a store that knows how far they lie apart; else ``models``: these trained ones, and no
        others of their kind.
    low, high : 95 % interval of ``delta``, over users and trainings or over users alone.
    low_items, high_items : the same over target items in place of users, since users who took one
        item are no independent cases; ``n_targets`` of them. None where all have one target.
    p, p_adjusted : two-sided, of what ``about`` says; the second corrected for all tests of the
        report.
    p_users : two-sided, over users alone: whether these trained models differ.
    test : ``users and trainings``, or over users ``McNemar`` (hits of two single runs), else
        ``permutation``.
    n_seeds, noise_runs : trainings compared, and trainings that their noise is known from, of both
        sides; 0 where it is not known.
    n_needed : users that would show these two models apart with 80 % power; infinite when there is
        no difference.
    seeds_needed : trainings a side that would show a difference of this size between the methods
        with these users and 80 % power; infinite where no reasonable number would.
    users_needed : users that would, with ``plan_seeds`` trainings a side.
    """

    of: str
    against: str
    metric: Metric
    about: Literal["methods", "models"]
    delta: float
    low: float
    high: float
    low_items: float | None
    high_items: float | None
    n_targets: int
    p: float
    p_adjusted: float
    p_users: float
    test: str
    n_users: int
    n_seeds: tuple[int, int]
    noise_runs: tuple[int, int]
    n_needed: float
    seeds_needed: float
    users_needed: float
    plan_seeds: int


def contrast(
    of: Group, against: Group, metric: Metric, resampling: Resampling, history: History
) -> Contrast:
    """Test ``of`` against ``against``: the methods where trainings can be counted too."""
    a, b = of.trainings(metric), against.trainings(metric)
    noises = [history.noise(group, metric) for group in (of, against)]
    users = compare_users(
        a,
        b,
        metric=metric,
        k=K,
        certain=of.outcomes.certain and against.outcomes.certain,
        n_resamples=resampling.n_resamples,
        n_bootstrap=resampling.n_bootstrap,
        seed=resampling.seed,
    )
    p_users = users.p if users.p_mcnemar is None else users.p_mcnemar
    both = noises[0] is not None and noises[1] is not None
    found = compare_recipes(a, b, noise_a=noises[0], noise_b=noises[1]) if both else None
    plan = _plan(a, b, noises)
    low_items, high_items, n_targets = _over_items(of, against, metric, noises, resampling)
    return Contrast(
        of=of.label,
        against=against.label,
        metric=metric,
        about="methods" if found else "models",
        delta=users.delta,
        low=found.low if found else users.low,
        high=found.high if found else users.high,
        low_items=low_items,
        high_items=high_items,
        n_targets=n_targets,
        p=found.p if found else p_users,
        p_adjusted=found.p if found else p_users,
        p_users=p_users,
        test="users and trainings"
        if found
        else ("permutation" if users.p_mcnemar is None else "McNemar"),
        n_users=users.n_users,
        n_seeds=(a.n_seeds, b.n_seeds),
        noise_runs=tuple(noise.n_runs if noise else 0 for noise in noises),  # type: ignore[arg-type]
        n_needed=users.n_users_needed,
        seeds_needed=plan.n_seeds,
        users_needed=plan.n_users,
        plan_seeds=plan.seeds_for_users,
    )


def _over_items(
    of: Group,
    against: Group,
    metric: Metric,
    noises: Sequence[SeedNoise | None],
    resampling: Resampling,
) -> tuple[float | None, float | None, int]:
    """Bounds of the difference over target items, and how many these are."""
    if metric not in of.outcomes.over_items:
        return None, None, 1
    sides = [group.outcomes.over_items[metric] for group in (of, against)]
    n = sides[0].n_users
    if noises[0] is None or noises[1] is None:
        return *mean_interval(sides[0].user_means - sides[1].user_means, resampling), n
    known = []
    for noise, side in zip(noises, sides, strict=True):
        own = side.noise()  # what the store knows of users says nothing about items
        known.append(replace(noise, user_part=own.user_part if own else 0.0))  # type: ignore[type-var]
    found = compare_recipes(*sides, noise_a=known[0], noise_b=known[1])
    return found.low, found.high, n


def _plan(a: Trainings, b: Trainings, noises: Sequence[SeedNoise | None]) -> Plan:
    """Plan a verdict; noise that is not known is taken as what users alone make it, the least."""
    n = a.n_users
    differences = a.user_means - b.user_means
    both = float(differences.var(ddof=1)) / n if n > 1 else math.inf
    # Of two single models nobody can say how much of their disagreement on users is training.
    unknown = SeedNoise(both / 2, both / 2, math.inf, 0)
    first, second = (noise or unknown for noise in noises)
    of_users = max(0.0, both - first.user_part / a.n_seeds - second.user_part / b.n_seeds)
    return plan_verdict(a.mean - b.mean, of_users, first, second, n)


def adjust_for_all(contrasts: Sequence[Contrast]) -> list[Contrast]:
    """Correct the p-values of all contrasts together (Holm)."""
    adjusted = holm([one.p for one in contrasts])
    return [replace(one, p_adjusted=p) for one, p in zip(contrasts, adjusted, strict=True)]


def mean_interval(values: NDArray[np.floating], resampling: Resampling) -> tuple[float, float]:
    """95 % bootstrap interval of a mean over users."""
    n_resamples = resampling.n_bootstrap or resampling.n_resamples
    return bootstrap_interval(values, n_resamples=n_resamples, seed=resampling.seed)
