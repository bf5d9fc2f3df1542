"""Cases that share a target count as one draw."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill.evaluation import boil_down, by_item, compare_recipes


def error(first, second, targets=None):
    """Standard error of the difference of two recipes, over users or over items."""
    sides = [
        [by_item(row, targets) for row in s] if targets is not None else s for s in (first, second)
    ]
    return compare_recipes(*map(boil_down, sides)).standard_error


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(1, 6)), min_size=1, max_size=60))
def test_the_mean_over_items_is_the_mean_over_cases(cases):
    outcomes, targets = map(np.array, zip(*cases, strict=True))
    values = by_item(outcomes, targets)
    assert len(values) == len(set(targets))
    assert values.mean() == pytest.approx(outcomes.mean())


def test_items_with_one_case_each_are_users_in_another_order():
    outcomes = np.random.default_rng(0).random(30)
    targets = np.random.default_rng(1).permutation(30)
    assert by_item(outcomes, targets) == pytest.approx(outcomes[np.argsort(targets)])


def test_a_case_told_ten_times_is_still_one_case():
    rng = np.random.default_rng(0)
    first, second = rng.random((2, 3, 50))
    alone = error(first, second)
    again = [np.repeat(side, 10, axis=1) for side in (first, second)]
    targets = np.repeat(np.arange(50), 10)
    assert error(*again, targets) == pytest.approx(alone)
    assert error(*again) < 0.7 * alone


def test_what_all_users_of_an_item_share_does_not_average_out():
    rng = np.random.default_rng(0)
    first, second = rng.random((2, 4, 400))
    targets = rng.integers(0, 20, 400)
    first = first + rng.normal(size=20)[targets]
    assert error(first, second) < 0.5 * error(first, second, targets)


def test_over_items_nothing_is_found_where_one_item_carries_it_all():
    rng = np.random.default_rng(0)
    targets = np.where(np.arange(600) < 150, 0, rng.integers(1, 300, 600))
    second = rng.random((3, 600)) * 0.2
    first = second + rng.random((3, 600)) * 0.02 + 0.3 * (targets == 0)
    sides = [boil_down(s) for s in (first, second)]
    items = [boil_down([by_item(row, targets) for row in s]) for s in (first, second)]
    assert compare_recipes(*sides).p < 1e-6
    assert compare_recipes(*items).p > 0.2
