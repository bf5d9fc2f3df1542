import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from recdistill.errors import UserError
from recdistill.evaluation import (
    NOTHING_DRAWN,
    SeedNoise,
    boil_down,
    compare_recipes,
    plan_verdict,
)


def outcomes(rng, n_seeds, n_users, *, seed_sd=0.0, interaction=0.3, hardness=None, shift=0.0):
    """Outcomes of trainings, shape [n_seeds, n_users]: user, training, user by training."""
    base = np.zeros(n_users) if hardness is None else hardness
    drawn = rng.normal(size=(n_seeds, n_users)) * interaction
    return shift + base + rng.normal(size=(n_seeds, 1)) * seed_sd + drawn


def two_recipes(seed=0, n=4, **options):
    rng = np.random.default_rng(seed)
    hardness = rng.normal(size=500)
    shift = options.pop("shift", 0.0)
    a = outcomes(rng, n, 500, hardness=hardness, shift=shift, **options)
    b = outcomes(rng, n, 500, hardness=hardness, **options)
    return boil_down(a), boil_down(b)


def test_boiling_down_keeps_the_two_way_table():
    table = np.random.default_rng(0).random((3, 40))
    found = boil_down(iter(table))
    left = table - table.mean(0) - table.mean(1, keepdims=True) + table.mean()
    assert found.user_means == pytest.approx(table.mean(0))
    assert found.seed_means == pytest.approx(table.mean(1))
    assert found.interaction == pytest.approx((left**2).sum() / (2 * 39))
    noise = found.noise()
    assert noise.variance == pytest.approx(table.mean(1).var(ddof=1))
    assert (noise.df, noise.n_runs) == (2, 3)


def test_one_training_says_nothing_about_noise():
    one = boil_down([np.ones(5)])
    assert one.noise() is None
    with pytest.raises(UserError, match="two models, not two recipes"):
        compare_recipes(one, one)


def test_other_users_are_refused():
    with pytest.raises(UserError, match="same users"):
        boil_down([np.ones(5), np.ones(6)])
    with pytest.raises(UserError, match="on 5 and 6 users"):
        compare_recipes(boil_down([np.ones(5)] * 2), boil_down([np.ones(6)] * 2))


def test_where_only_trainings_differ_it_is_welchs_test_with_fewer_degrees():
    """All users alike: what is left is a test of seed means."""
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=6), rng.normal(size=6) + 1
    found = compare_recipes(
        boil_down(np.full(50, mean) for mean in a), boil_down(np.full(50, mean) for mean in b)
    )
    welch = ttest_ind(a, b, equal_var=False)
    assert found.delta / found.standard_error == pytest.approx(welch.statistic)
    assert found.df <= welch.df
    assert found.p == pytest.approx(welch.pvalue, rel=0.35)
    assert found.p >= welch.pvalue


def test_where_nothing_is_drawn_it_is_the_paired_test_of_users():
    rng = np.random.default_rng(4)
    a, b = rng.random(300), rng.random(300)
    found = compare_recipes(
        boil_down([a]), boil_down([b]), noise_a=NOTHING_DRAWN, noise_b=NOTHING_DRAWN
    )
    assert found.standard_error == pytest.approx((a - b).std(ddof=1) / math.sqrt(300))
    assert math.isinf(found.df)


def test_seed_noise_widens_the_interval_and_the_user_only_view_misses_it():
    quiet, loud = compare_recipes(*two_recipes()), compare_recipes(*two_recipes(seed_sd=0.1))
    assert loud.standard_error > 2 * quiet.standard_error
    assert loud.df < quiet.df


def test_the_same_recipe_is_rejected_about_as_often_as_the_level_says():
    n, rejected = 400, 0
    for seed in range(n):
        rejected += compare_recipes(*two_recipes(seed, n=3, seed_sd=0.03)).p < 0.05
    assert rejected / n <= 0.08


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6), st.floats(0, 0.3))
def test_swapping_the_sides_swaps_the_signs(seed, n, seed_sd):
    a, b = two_recipes(seed, n=n, seed_sd=seed_sd)
    there, back = compare_recipes(a, b), compare_recipes(b, a)
    assert back.delta == -there.delta
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low))
    assert back.p == pytest.approx(there.p)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 0.2))
def test_p_and_interval_agree(seed, shift):
    found = compare_recipes(*two_recipes(seed, shift=shift, seed_sd=0.05))
    assert (found.p < 0.05) == (not found.low <= 0 <= found.high)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5))
def test_it_is_never_surer_than_users_alone(seed, n):
    a, b = two_recipes(seed, n=n)
    paired = (a.user_means - b.user_means).std(ddof=1) / math.sqrt(a.n_users)
    assert compare_recipes(a, b).standard_error >= paired * (1 - 1e-9)


def test_known_noise_of_many_runs_makes_one_training_a_side_enough():
    rng = np.random.default_rng(5)
    hardness = rng.normal(size=500)
    a = boil_down(outcomes(rng, 1, 500, hardness=hardness, shift=0.1))
    b = boil_down(outcomes(rng, 1, 500, hardness=hardness))
    noise = boil_down(outcomes(rng, 20, 500, hardness=hardness)).noise()
    found = compare_recipes(a, b, noise_a=noise, noise_b=noise)
    assert found.p < 0.01
    assert found.noise_a.n_runs == 20


def test_equality_needs_an_interval_inside_the_margin():
    found = compare_recipes(*two_recipes(n=8))
    far = max(abs(found.low), abs(found.high))
    assert found.within(far * 1.01)
    assert not found.within(far * 0.99)
    assert found.not_worse_by(abs(found.low) * 1.01)
    assert not found.not_worse_by(abs(found.low) * 0.5)


def test_a_plan_finds_what_it_was_made_for():
    noise = SeedNoise(0.0001, 0.00002, 4, 5)
    plan = plan_verdict(0.02, 0.00001, noise, noise, 1000)
    assert 2 < plan.n_seeds < 20
    more = plan_verdict(0.01, 0.00001, noise, noise, 1000)
    assert more.n_seeds > plan.n_seeds
    assert more.n_users > plan.n_users


def test_no_number_of_users_mends_noisy_trainings():
    noise = SeedNoise(0.01, 0.0, 4, 5)
    plan = plan_verdict(0.02, 0.00001, noise, noise, 1000)
    assert math.isinf(plan.n_users)
    assert math.isinf(plan_verdict(0.0, 0.1, noise, noise, 1000).n_seeds)
