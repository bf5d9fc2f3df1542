"""A challenger held against the champion: quality, guarded parts of the users, and cost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from recdistill.data import STRATA, strata
from recdistill.evaluation import compare_to_margin, evaluate
from recdistill.serving._in_catalog import InCatalog
from recdistill.serving._top_k import TopK
from recdistill.serving._verdict import Check, Verdict

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from recdistill.data import PreparedData
    from recdistill.evaluation import NonInferiority
    from recdistill.serving._rules import ChallengeRules

K = 10
_N_TIMED = 100
_MB = 1e6
ALL_USERS = "all test users"


def challenge(
    challenger: Path, champion: Path, data: PreparedData, rules: ChallengeRules
) -> Verdict:
    """Hold a challenger against the champion on the test part of ``data``.

    Both rank the same users' targets among all items of the catalog of ``data``; an item that the
    champion does not know it ranks last. Requests are timed in turn in this process.

    Parameters
    ----------
    challenger, champion : folders from ``gather_student``
    data : PreparedData
        The challenger's. The champion must not have been trained on its test part, which holds
        when it was trained on the same split or on what was known earlier.
    rules : ChallengeRules
    """
    pair = [TopK.read(folder, n_threads=1) for folder in (challenger, champion)]
    asked = [InCatalog(top_k, data.catalog) for top_k in pair]
    found = [evaluate(model, data.test, data.catalog, data.train) for model in asked]
    tables = [one.per_user for one in found]
    covered = [one.lists[f"coverage_at_{K}"] for one in found]
    bytes_of = [sum(f.stat().st_size for f in p.iterdir()) / _MB for p in (challenger, champion)]
    times = _milliseconds_per_request(asked, data)
    limits = rules.limits
    checks = [
        _overall(tables, rules),
        *_guards(tables, rules),
        _at_most("package", bytes_of, "MB", limits.size),
        _at_most("one request", times, "ms", limits.latency),
        _at_least("coverage of top 10", covered, "of the catalog", limits.coverage),
    ]
    return Verdict(checks, asked[1].n_unknown)


def _overall(tables: list[pd.DataFrame], rules: ChallengeRules) -> Check:
    test = compare_to_margin(*tables, margin=rules.margin, metric=rules.metric, k=K)
    passed = test.finding in ("better", "not worse")
    if test.finding == "undecided" and rules.undecided == "replace":
        passed = test.delta >= -rules.margin * test.value_b
    said = _said(test)
    if test.finding == "undecided":
        said += (
            f": too few users to show a loss below {rules.margin:.3g} of it (about "
            f"{test.n_users_needed:,.0f} would do)"
        )
    return _of_test(ALL_USERS, test, rules, f"at most {rules.margin:.3g} less, shown", said, passed)


def _guards(tables: list[pd.DataFrame], rules: ChallengeRules) -> list[Check]:
    """Compare on the parts of the users that a mean over all would hide."""
    count = strata(tables[0]["target_popularity"].to_numpy())
    short = tables[0]["history_length"].to_numpy() <= rules.short_history
    parts: dict[str, NDArray[np.bool_]] = {
        "targets that are new items": count == STRATA.index("0"),
        "targets that are rare items": count == STRATA.index("1-4"),
        f"histories of at most {rules.short_history}": short,
    }
    checks = []
    for name, rows in parts.items():
        if rows.any():
            test = compare_to_margin(
                *tables, margin=rules.guard_margin, metric=rules.metric, k=K, rows=rows
            )
            allowed = f"not surely worse by {rules.guard_margin:.3g}"
            passed = test.finding != "worse"
            checks.append(_of_test(name, test, rules, allowed, _said(test), passed))
    return checks


def _said(test: NonInferiority) -> str:
    return (
        f"{test.value_a:.4f} against {test.value_b:.4f}, difference {test.delta:+.4f} "
        f"[{test.low:+.4f}, {test.high:+.4f}], {test.finding}"
    )


def _of_test(
    name: str,
    test: NonInferiority,
    rules: ChallengeRules,
    allowed: str,
    finding: str,
    passed: bool,
) -> Check:
    unit = f"{rules.metric}@{K}"
    return Check(name, test.value_a, test.value_b, unit, allowed, passed, finding, test)


def _at_most(name: str, pair: list[float], unit: str, limit: float) -> Check:
    ratio = _ratio(pair)
    return _of_limit(name, pair, unit, f"at most {limit:g} times", ratio, ratio <= limit)


def _at_least(name: str, pair: list[float], unit: str, limit: float) -> Check:
    ratio = _ratio(pair)
    return _of_limit(name, pair, unit, f"at least {limit:g} times", ratio, ratio >= limit)


def _of_limit(
    name: str, pair: list[float], unit: str, allowed: str, ratio: float, passed: bool
) -> Check:
    return Check(name, pair[0], pair[1], unit, allowed, passed, f"{ratio:.2f} times")


def _ratio(pair: list[float]) -> float:
    return pair[0] / pair[1] if pair[1] else float("inf" if pair[0] else 1)


def _milliseconds_per_request(asked: list[InCatalog], data: PreparedData) -> list[float]:
    """Median time of a request for one user, the two asked in turn so that noise meets both."""
    known = [model.translated(data.test.history) for model in asked]
    usable = np.flatnonzero(np.all([histories.lengths > 0 for histories in known], axis=0))
    drawn = np.random.default_rng(0).permutation(usable)[:_N_TIMED]
    if not len(drawn):
        return [0.0, 0.0]
    k = min(K, *(model.top_k.names.n_items for model in asked))
    taken = np.zeros((2, len(drawn)))
    for i, row in enumerate(drawn):
        for side, model in enumerate(asked):
            items = known[side].row(int(row)).astype(np.int64)
            ends = np.array([0, len(items)])
            started = time.perf_counter()
            model.top_k.recommend(items, ends, k, keep_history=True)
            taken[side, i] = time.perf_counter() - started
    return [float(value) for value in np.median(taken, axis=1) * 1000]
