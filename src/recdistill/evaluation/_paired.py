"""Is one model better than another on the same users? Seeds averaged first, users tested."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recdistill.errors import UserError
from recdistill.evaluation._clusters import Clusters
from recdistill.evaluation._evaluation import outcome
from recdistill.evaluation._protocol import protocols_differ
from recdistill.evaluation._significance import (
    bootstrap_interval,
    mcnemar_exact,
    n_users_for_power,
    permutation_test,
)
from recdistill.evaluation._trainings import boil_down

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from recdistill.evaluation._outcomes import Metric
    from recdistill.evaluation._trainings import Trainings


@dataclass(frozen=True)
class PairedTest:
    """What a paired comparison of model ``a`` against model ``b`` found.

    Attributes
    ----------
    metric, k, masked : what was compared
    n_users, n_seeds_a, n_seeds_b : int
    value_a, value_b, delta : float
        Means over users and seeds; ``delta = value_a - value_b``.
    low, high : float
        95% interval of ``delta`` by paired bootstrap over users. It holds for these seeds: the
        spread over seeds stands beside it, not in it.
    p : float
        By paired permutation over users, two-sided.
    spread_a, spread_b : float
        Standard deviation of the mean over seeds; 0 for one seed, which says nothing about it.
    n_better, n_worse : int
        Users whose outcome, averaged over seeds, is higher or lower with ``a``.
    p_mcnemar : float or None
        Exact, for the recall of one run against one run where no hit hangs on a tie.
    n_users_needed : float
        Users for 80% power at the observed discordance; infinite where there is no difference.
        Taken from ``n_better`` and ``n_worse``, so it is about wins and not about their size.
    """

    metric: Metric
    k: int
    masked: bool
    n_users: int
    n_seeds_a: int
    n_seeds_b: int
    value_a: float
    value_b: float
    delta: float
    low: float
    high: float
    p: float
    spread_a: float
    spread_b: float
    n_better: int
    n_worse: int
    p_mcnemar: float | None
    n_users_needed: float

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self)


def compare_paired(
    a: Sequence[pd.DataFrame],
    b: Sequence[pd.DataFrame],
    *,
    metric: Metric = "recall",
    k: int = 10,
    masked: bool = True,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> PairedTest:
    """Compare two models on the same users, each by the per-user tables of one or several seeds.

    A user who has several cases counts once, see `by_user`.

    Parameters
    ----------
    a, b : per-user tables (`Evaluation.per_user`), one per seed
    metric, k, masked : the outcome compared
    n_resamples, seed : of the permutation test and the bootstrap

    Raises
    ------
    UserError
        If there is no table, or the tables were not measured on the same catalog, users, histories
        and targets by the same protocol.
    """
    if not a or not b:
        raise UserError("A paired comparison needs at least one run on either side.")
    for table in [*a[1:], *b]:
        require_same_cases(a[0], table)
    first, second = ([outcome(t, metric, k, masked=masked) for t in side] for side in (a, b))
    users = Clusters(a[0]["user"].to_numpy())
    sides = [
        boil_down(map(users.add_up, side) if users.has_pairs else side) for side in (first, second)
    ]
    return compare_users(
        *sides,
        metric=metric,
        k=k,
        masked=masked,
        certain=not users.has_pairs
        and all(np.isin(values, (0, 1)).all() for values in (*first, *second)),
        n_resamples=n_resamples,
        seed=seed,
    )


def compare_users(
    a: Trainings,
    b: Trainings,
    *,
    metric: Metric = "recall",
    k: int = 10,
    masked: bool = True,
    certain: bool,
    n_resamples: int = 10_000,
    n_bootstrap: int = 0,
    seed: int = 0,
) -> PairedTest:
    """Compare two models whose outcomes on the same users, in the same order, are boiled down.

    Parameters
    ----------
    a, b : Trainings
    metric, k, masked : what the outcomes are
    certain : whether every user has one case, whose outcome is 0 or 1
    n_resamples, seed : of the permutation test and the bootstrap
    n_bootstrap : draws of the bootstrap where they are to be others; 0 takes ``n_resamples``
    """
    # A hit in exactly the same seeds must cancel exactly, whatever the order of summation.
    differences = (a.user_means - b.user_means).round(12)
    n_users = len(differences)
    n_better, n_worse = int((differences > 0).sum()), int((differences < 0).sum())
    low, high = bootstrap_interval(differences, n_resamples=n_bootstrap or n_resamples, seed=seed)
    one_pair = a.n_seeds == b.n_seeds == 1 and metric == "recall" and certain
    return PairedTest(
        metric=metric,
        k=k,
        masked=masked,
        n_users=n_users,
        n_seeds_a=a.n_seeds,
        n_seeds_b=b.n_seeds,
        value_a=a.mean,
        value_b=b.mean,
        delta=float(differences.mean()),
        low=low,
        high=high,
        p=permutation_test(differences, n_resamples=n_resamples, seed=seed),
        spread_a=_spread(a),
        spread_b=_spread(b),
        n_better=n_better,
        n_worse=n_worse,
        p_mcnemar=mcnemar_exact(n_better, n_worse) if one_pair else None,
        n_users_needed=n_users_for_power(n_better / n_users, n_worse / n_users),
    )


def _spread(trainings: Trainings) -> float:
    return float(trainings.seed_means.std(ddof=1)) if trainings.n_seeds > 1 else 0.0


def require_same_cases(one: pd.DataFrame, other: pd.DataFrame) -> None:
    """Refuse two per-user tables that are not of the same cases.

    Raises
    ------
    UserError
        Naming what differs.
    """
    protocols = [str(t.attrs.get("protocol", "unknown")) for t in (one, other)]
    if protocols[0] != protocols[1] or "unknown" in protocols:
        raise UserError(f"These runs cannot be compared: {protocols_differ(*protocols)}.")
    for key, what in (
        ("catalog_digest", "catalog digests differ"),
        ("cases_digest", "digests of users, histories and targets differ"),
    ):
        values = [str(t.attrs.get(key, "unknown")) for t in (one, other)]
        if values[0] != values[1] or "unknown" in values:
            raise UserError(
                f"These runs cannot be compared, {what} ({values[0][:40]} against "
                f"{values[1][:40]}): compare runs made on the same prepared data."
            )
    for column in ("user", "target"):
        if not np.array_equal(one[column].to_numpy(), other[column].to_numpy()):
            raise UserError(
                f"These runs cannot be compared, column {column!r} of their per-user tables "
                "differs: a table was edited or reordered after it was written."
            )
