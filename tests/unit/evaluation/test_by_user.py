"""Where a user has several cases, users are drawn and not cases."""

import numpy as np
import pandas as pd
import pytest

from recdistill.evaluation import Evaluation, by_user, compare_paired

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


def test_repeating_every_case_does_not_narrow_the_interval_of_recall():
    once, ten = (Evaluation(table_of(200, n, 1), {}).metrics() for n in (1, 10))
    widths = [m["recall_at_10_high"] - m["recall_at_10_low"] for m in (once, ten)]
    assert ten["recall_at_10"] == once["recall_at_10"]
    assert widths[1] == pytest.approx(widths[0], rel=0.1)
