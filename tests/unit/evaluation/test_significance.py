import itertools
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from recdistill.errors import UserError
from recdistill.evaluation import (
    bootstrap_interval,
    holm,
    mcnemar_exact,
    n_users_for_power,
    permutation_test,
)


@pytest.mark.parametrize(
    ("n_first", "n_second", "p"),
    [(4, 0, 0.125), (5, 0, 0.0625), (1, 0, 1.0), (5, 1, 0.219), (6, 1, 0.125), (0, 0, 1.0)],
)
def test_three_seven_and_eight_hits_of_95_cannot_differ(n_first, n_second, p):
    """3, 7 and 8 hits of 95 users, paired as favourably as possible and with one crossing hit."""
    assert round(mcnemar_exact(n_first, n_second), 3) == round(p, 3)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_a_sign_test_of_the_discordant_users(n_first, n_second):
    if n_first + n_second:
        expected = binomtest(n_first, n_first + n_second).pvalue
        assert mcnemar_exact(n_first, n_second) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("first", "second", "n_users"),
    [(0.06, 0.05, 8632), (0.06, 0.03, 783), (0.05, 0.03, 1568), (0.05, 0.01, 292)],
)
def test_users_needed_for_power(first, second, n_users):
    assert n_users_for_power(first, second) == n_users
    assert n_users_for_power(second, first) == n_users


def test_that_many_users_do_find_the_difference_four_times_in_five():
    rng = np.random.default_rng(0)
    n_users = int(n_users_for_power(0.06, 0.03))
    draws = rng.multinomial(n_users, [0.06, 0.03, 0.91], size=1500)
    found = np.mean([mcnemar_exact(a, b) < 0.05 for a, b, _ in draws])
    assert 0.74 < found < 0.84  # the exact test is a little more careful than the formula


def test_no_difference_needs_endless_users_and_shares_are_checked():
    assert n_users_for_power(0.05, 0.05) == float("inf")
    with pytest.raises(UserError, match="must lie in 0 to 1"):
        n_users_for_power(0.7, 0.6)


def test_permutation_equals_the_enumeration_of_all_signs():
    differences = np.array([0.5, 0.3, -0.2, 0.0, 0.7, 0.1, 0.4, -0.1, 0.6])
    sums = [
        np.dot(signs, differences) for signs in itertools.product((-1, 1), repeat=len(differences))
    ]
    exact = np.mean(np.abs(sums) >= abs(differences.sum()) - 1e-9)
    assert permutation_test(differences, n_resamples=40_000) == pytest.approx(exact, abs=0.006)


def test_permutation_on_hits_agrees_with_mcnemar():
    hits = np.repeat([1.0, -1.0, 0.0], [14, 5, 300])
    assert permutation_test(hits, n_resamples=40_000) == pytest.approx(
        mcnemar_exact(14, 5), abs=0.006
    )


def test_permutation_is_level_under_no_difference():
    rng = np.random.default_rng(1)
    p = [
        permutation_test(rng.choice([0, 0, 1, -1, 0.4, -0.4], 60), n_resamples=300, seed=i)
        for i in range(400)
    ]
    assert 0.02 < np.mean(np.array(p) <= 0.05) < 0.085


def test_bootstrap_interval_is_the_normal_one_where_there_are_many_users():
    differences = np.random.default_rng(2).normal(0.02, 1.0, 3000)
    half = 1.96 * differences.std() / np.sqrt(3000)
    low, high = bootstrap_interval(differences)
    assert low == pytest.approx(differences.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(differences.mean() + half, abs=0.1 * half)


def test_the_same_seed_gives_the_same_answer_and_another_seed_another():
    differences = np.random.default_rng(3).normal(0.05, 1.0, 500)
    for statistic in (permutation_test, bootstrap_interval):
        assert statistic(differences, seed=1) == statistic(differences, seed=1)
        assert statistic(differences, seed=1) != statistic(differences, seed=2)


def test_no_difference_at_all_is_no_evidence():
    assert permutation_test(np.zeros(50)) == 1.0
    assert bootstrap_interval(np.zeros(50)) == (0.0, 0.0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_each_p_and_bonferroni_and_keeps_their_order(p_values):
    adjusted = holm(p_values)
    n = len(p_values)
    for p, raised in zip(p_values, adjusted, strict=True):
        assert p - 1e-12 <= raised <= min(1, n * p) + 1e-12
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(np.array(adjusted)[order]) >= 0).all()
    assert adjusted[order[0]] == pytest.approx(min(1, n * p_values[order[0]]))


def test_ten_thousand_resamples_of_ml_1m_take_about_a_second():
    differences = np.random.default_rng(4).normal(0.01, 1.0, 6040)
    start = time.process_time()
    permutation_test(differences)
    bootstrap_interval(differences)
    assert time.process_time() - start < 3  # 0.6 s on an idle core
