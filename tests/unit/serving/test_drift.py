"""Drift: none where traffic is as expected, each kind where it is not, whatever the size."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill.errors import UserError
from recdistill.serving import DriftLimits, Traffic, drift
from recdistill.serving._drift import coverage_ratio, popularity_shift

ITEMS = [f"i{n}" for n in range(200)]
SHARES = 1 / np.arange(1, 201)


def drawn(n: int, seed: int, turned: bool = False) -> Counter[str]:
    shares = SHARES[::-1] if turned else SHARES
    counts = np.random.default_rng(seed).multinomial(n, shares / shares.sum())
    return Counter({item: int(c) for item, c in zip(ITEMS, counts, strict=True) if c})


def traffic(n: int, seed: int, **changes: object) -> Traffic:
    """A service asked ``n`` histories of ten items, whose best scores are 3 +- 1."""
    made = Traffic(
        n_requests=n, n_histories=n, n_items=10 * n, n_answers=n, score_sum=3.0 * n,
        score_squares=10.0 * n, newest=drawn(n, seed), recommended=drawn(10 * n, seed + 1),
    )  # fmt: skip
    return replace(made, **changes)


def beyond(recent: Traffic, untrained: frozenset[str] = frozenset()) -> list[str]:
    measures = drift(recent, traffic(3000, 0), untrained, DriftLimits())
    assert len(measures) == 7
    return [measure.name for measure in measures if not measure.passed]


@pytest.mark.parametrize("n", [200, 1_000, 20_000])
def test_as_expected_is_within_every_limit_however_much_was_asked(n: int) -> None:
    assert beyond(traffic(n, 5)) == []


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"n_refused": 60}, "refused"),
        ({"n_unknown": 600}, "unknown"),
        ({"newest": drawn(1000, 5, turned=True)}, "popularity"),
        ({"score_sum": 3600.0}, "score"),
        ({"recommended": Counter({"i0": 5000, "i1": 5000})}, "coverage"),
        ({"n_items": 3_000}, "length"),
        ({"n_items": 30_000}, "length"),
    ],
)
def test_each_drift_is_found_and_none_other(changes: dict[str, object], name: str) -> None:
    assert beyond(traffic(1000, 5, **changes)) == [name]


def test_items_that_training_had_not_seen_are_new() -> None:
    assert beyond(traffic(1000, 5), frozenset(ITEMS[:1])) == ["new"]


COUNTS = st.dictionaries(st.sampled_from(ITEMS), st.integers(1, 50), min_size=1).map(Counter)


@settings(max_examples=60, deadline=None)
@given(COUNTS, COUNTS)
def test_a_shift_is_bounded_and_the_same_both_ways(one: Counter[str], other: Counter[str]) -> None:
    there, back = popularity_shift(one, other), popularity_shift(other, one)
    assert -1 < there <= 1
    assert there == pytest.approx(back, abs=0.15)  # up to the deals
    assert popularity_shift(one, one) <= 0


def test_disjoint_items_shift_by_nearly_a_bit() -> None:
    one, other = Counter({"a": 5000}), Counter({"b": 5000})
    assert popularity_shift(one, other) == pytest.approx(1, abs=0.001)


@settings(max_examples=60, deadline=None)
@given(COUNTS, st.integers(2, 20))
def test_more_requests_of_a_kind_cover_no_more(one: Counter[str], times: int) -> None:
    many = Counter({item: n * times for item, n in one.items()})
    assert coverage_ratio(many, one) == pytest.approx(1)
    assert coverage_ratio(one, many) == pytest.approx(1)


@pytest.mark.parametrize(("name", "value"), [("length", 0.5), ("new", -0.1), ("score", np.inf)])
def test_a_limit_that_means_nothing_is_refused(name: str, value: float) -> None:
    with pytest.raises(UserError, match=rf"drift\.{name} is"):
        DriftLimits(**{name: value})
