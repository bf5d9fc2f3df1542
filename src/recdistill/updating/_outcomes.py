"""What a backtest found: every case of every window under every clock, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recdistill.evaluation import (
    boil_down,
    bootstrap_interval,
    compare_recipes,
    outcome,
    permutation_test,
)
from recdistill.updating._clock import Clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from recdistill.data import PreparedData

AGES = ("this window", "the last window", "before")
"""When an item, or a user, was first seen, as of the window that is tested."""


def cases_of(states: Sequence[PreparedData], window: int, per_user: pd.DataFrame) -> pd.DataFrame:
    """Name the cases of one window: who, what, how old both are, and how well they were ranked.

    Parameters
    ----------
    states : all states; ``window`` indexes the one that is tested, at least 1
    per_user : its table of ranks (``Evaluation.per_user``)
    """
    now = states[window]
    n_before = [states[max(window - back, 0)].catalog.n_items for back in (1, 2)]
    target = per_user["target"].to_numpy()
    names = now.users[per_user["user"].to_numpy()]
    seen = [np.isin(names, states[max(window - back, 0)].users) for back in (1, 2)]
    return pd.DataFrame(
        {
            "window": now.manifest["config"]["until"],
            "user": names,
            "item_age": _ages([target <= n for n in n_before]),
            "user_age": _ages(seen),
            "recall": outcome(per_user, "recall", 10),
            "ndcg": outcome(per_user, "ndcg", 10),
        }
    )


def _ages(known: list[NDArray[np.bool_]]) -> NDArray[np.object_]:
    """Known one window ago and two: before; one ago only: the last window; else this one."""
    return np.array(AGES, object)[np.where(known[1], 2, np.where(known[0], 1, 0))]


def by_window(cases: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """Mean quality of every clock in every window, with what was done before it and its CPU cost.

    Parameters
    ----------
    cases : rows of ``cases_of`` with ``clock`` and ``seed``
    costs : ``clock``, ``seed``, ``window``, ``step``, ``cpu_seconds``
    """
    keys = ["clock", "window"]
    quality = cases.groupby(keys, sort=False).agg(
        n_cases=("ndcg", "size"), ndcg=("ndcg", "mean"), recall=("recall", "mean")
    )
    quality["n_cases"] //= cases.groupby(keys, sort=False)["seed"].nunique()
    cost = costs.groupby(keys, sort=False).agg(
        step=("step", "first"), cpu_seconds=("cpu_seconds", "mean")
    )
    return quality.join(cost).reset_index()


def clock_metrics(cases: pd.DataFrame, windows: pd.DataFrame) -> dict[str, float]:
    """Name each clock's mean quality and whole cost, and the tests between clocks, as metrics."""
    figures: dict[str, float] = {}
    for words, own in later_windows(windows).groupby("clock", sort=False):
        name = Clock(str(words)).slug
        figures[f"backtest/{name}/ndcg_at_10"] = float(own["ndcg"].mean())
        figures[f"backtest/{name}/recall_at_10"] = float(own["recall"].mean())
        figures[f"backtest/{name}/cpu_seconds"] = float(own["cpu_seconds"].sum())
    for test in compare_clocks(later_windows(cases)):
        pair = f"{Clock(test.a).slug}_vs_{Clock(test.b).slug}"
        figures |= {f"delta/ndcg_at_10_{pair}": test.delta, f"p/ndcg_at_10_{pair}": test.p}
    return figures


def by_age(cases: pd.DataFrame, of: str) -> pd.DataFrame:
    """Mean NDCG@10 of every clock by the age of item or user (``of``), all windows together."""
    found = cases.pivot_table("ndcg", of, "clock")
    n = cases.groupby(of)["ndcg"].size() // cases[["clock", "seed"]].drop_duplicates().shape[0]
    found = found[list(dict.fromkeys(cases["clock"]))]
    found.insert(0, "n_cases", n)
    return found.reindex([age for age in AGES if age in found.index])


def later_windows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of all windows but the first, before which all clocks train alike."""
    later: pd.DataFrame = table[table["window"] != table["window"].iloc[0]]
    return later


@dataclass(frozen=True)
class ClockTest:
    """One clock against another, over all windows.

    Attributes
    ----------
    a, b : their words
    mean_a, mean_b : NDCG@10 over users, a user's cases averaged
    delta, low, high, p : of the difference
    over_trainings : whether trainings are counted, or these models only
    n_users : int
    """

    a: str
    b: str
    mean_a: float
    mean_b: float
    delta: float
    low: float
    high: float
    p: float
    over_trainings: bool
    n_users: int


def compare_clocks(cases: pd.DataFrame) -> list[ClockTest]:
    """Test every pair of clocks on what differs between them, users and trainings drawn.

    A user counts once, with the mean over that user's cases of all windows. With several seeds it
    is ``compare_recipes``, whose unit of training is a whole chain of windows; with one, the paired
    permutation test of users, which says nothing of other trainings.
    """
    means = cases.pivot_table("ndcg", ["clock", "seed"], "user")  # one column for each user
    chains = {clock: means.loc[clock].to_numpy() for clock in dict.fromkeys(cases["clock"])}
    return [_test(a, b, chains[a], chains[b]) for b, a in combinations(chains, 2)]


def _test(a: str, b: str, one: NDArray[np.float64], two: NDArray[np.float64]) -> ClockTest:
    means = float(one.mean()), float(two.mean())
    n_users = one.shape[1]
    if len(one) > 1:
        found = compare_recipes(boil_down(one), boil_down(two))
        return ClockTest(a, b, *means, found.delta, found.low, found.high, found.p, True, n_users)
    differences = (one[0] - two[0]).round(12)
    low, high = bootstrap_interval(differences)
    p = permutation_test(differences)
    return ClockTest(a, b, *means, means[0] - means[1], low, high, p, False, n_users)
