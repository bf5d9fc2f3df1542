"""Where a user has several cases, users are drawn and not cases."""

import numpy as np
import pandas as pd
import pytest

from recdistill.evaluation import Evaluation, by_user, compare_paired, spread_over_users

DIGESTS = {"protocol": "p", "catalog_digest": "c", "cases_digest": "d"}


def test_who_has_one_case_keeps_its_place_and_outcome():
    outcomes = np.array([0.5, 1.0, 0.0])
    assert by_user(outcomes, np.array([7, 2, 5])).tolist() == outcomes.tolist()


def test_the_mean_over_users_is_the_mean_over_cases():
    rng = np.random.default_rng(0)
    users, outcomes = rng.integers(0, 40, 300), rng.random(300)
    values = by_user(outcomes, users)
    assert len(values) == len(np.unique(users))
    assert values.mean() == pytest.approx(outcomes.mean())


def table_of(n_users: int, copies: int, seed: int, **attrs: str) -> pd.DataFrame:
    """Each user's case, repeated: as many cases as one likes, and no more knowledge."""
    above = np.random.default_rng(seed).integers(0, 30, n_users)
    table = pd.DataFrame(
        {
            "user": np.repeat(np.arange(n_users), copies),
            "target": np.repeat(np.arange(n_users) % 11 + 1, copies),
            "target_popularity": 3,
            "n_above": np.repeat(above, copies),
            "n_tied": 0,
            "n_above_unmasked": np.repeat(above, copies),
            "n_tied_unmasked": 0,
        }
    )
    table.attrs = DIGESTS | attrs
    return table


@pytest.mark.parametrize("metric", ["recall", "ndcg"])
def test_repeating_every_case_tells_a_paired_test_nothing_new(metric):
    once, ten = (
        compare_paired([table_of(200, n, 1)], [table_of(200, n, 2)], metric=metric) for n in (1, 10)
    )
    assert ten.delta == pytest.approx(once.delta)
    assert (ten.low, ten.high) == pytest.approx((once.low, once.high))
    assert ten.p == pytest.approx(once.p)
    assert ten.n_users == 200


def test_bounds_of_recall_are_those_of_a_bootstrap_over_users():
    """Users have very different numbers of cases, which must not count as spread of the metric."""
    rng = np.random.default_rng(3)
    users = np.repeat(np.arange(300), rng.geometric(0.1, 300))
    skill = rng.beta(2, 1, 300)
    hits = rng.random(len(users)) < skill[users]
    table = table_of(len(users), 1, 0).assign(user=users, n_above=np.where(hits, 0, 99))
    found = Evaluation(table, {}).metrics()
    sums, counts = np.bincount(users, hits), np.bincount(users)
    drawn = rng.integers(0, 300, (4000, 300))
    ratios = sums[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    assert found["recall_at_10"] == pytest.approx(hits.mean())
    assert found["recall_at_10_low"] == pytest.approx(low, abs=0.004)
    assert found["recall_at_10_high"] == pytest.approx(high, abs=0.004)


def test_a_model_that_always_hits_has_no_interval():
    users = np.repeat(np.arange(40), np.arange(1, 41))
    values = spread_over_users(np.ones(len(users)), users)
    assert values == pytest.approx(1.0)
    table = table_of(len(users), 1, 0).assign(user=users, n_above=0)
    found = Evaluation(table, {}).metrics()
    assert (found["recall_at_10_low"], found["recall_at_10_high"]) == pytest.approx((1.0, 1.0))
