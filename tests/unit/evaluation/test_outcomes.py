import itertools
import math

import ir_measures
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.errors import UserError
from recdistill.evaluation import METRICS, expected_outcome, hits_interval
from recdistill.evaluation._outcomes import KS

ORACLE = {
    "recall": lambda k: ir_measures.Recall @ k,
    "ndcg": lambda k: ir_measures.nDCG @ k,
    "mrr": lambda k: ir_measures.RR @ k,
}


def by_oracle(order, target, metric, k):
    """The metric of a list without ties, by an independent library."""
    run = {"q": {str(item): float(len(order) - i) for i, item in enumerate(order)}}
    return ir_measures.calc_aggregate([ORACLE[metric](k)], {"q": {str(target): 1}}, run)[
        ORACLE[metric](k)
    ]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("k", [1, 5, 10])
def test_without_ties_it_is_what_an_independent_library_says(metric, k):
    rng = np.random.default_rng(k)
    for _ in range(12):
        order = rng.permutation(30)
        rank = int(rng.integers(0, 15))
        ours = expected_outcome(np.array([rank]), np.array([0]), metric, k)[0]
        assert ours == pytest.approx(by_oracle(order, order[rank], metric, k), abs=1e-9)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("n_above", "n_tied"), [(0, 3), (1, 2), (2, 3), (4, 0), (5, 1)])
def test_with_ties_it_is_the_mean_over_every_way_to_break_them(metric, n_above, n_tied):
    above = [f"above {i}" for i in range(n_above)]
    level = ["target", *(f"level {i}" for i in range(n_tied))]
    for k in (1, 3, 5):
        every = [
            by_oracle([*above, *order, "below"], "target", metric, k)
            for order in itertools.permutations(level)
        ]
        ours = expected_outcome(np.array([n_above]), np.array([n_tied]), metric, k)[0]
        assert ours == pytest.approx(np.mean(every), abs=1e-9)


@given(st.integers(0, 200), st.integers(0, 200), st.sampled_from(METRICS))
def test_it_rises_with_k_and_falls_with_every_item_above(n_above, n_tied, metric):
    def at(k, above=n_above):
        return expected_outcome(np.array([above]), np.array([n_tied]), metric, k)[0]

    values = [at(k) for k in KS]
    assert values == sorted(values)
    assert values[0] >= 0
    assert values[-1] <= 1
    assert all(at(k, n_above + 1) <= at(k) for k in KS)


@given(st.integers(0, 100), st.integers(0, 100), st.integers(1, 50))
def test_recall_bounds_the_metrics_that_weigh_ranks(n_above, n_tied, k):
    recall, ndcg, mrr = (
        expected_outcome(np.array([n_above]), np.array([n_tied]), m, k)[0] for m in METRICS
    )
    assert mrr <= ndcg + 1e-12
    assert ndcg <= recall + 1e-12


def test_a_metric_or_cut_off_that_does_not_exist_is_refused():
    one = np.array([1])
    with pytest.raises(UserError, match=r"no metric 'map' at k=10: take one of recall, ndcg, mrr"):
        expected_outcome(one, one, "map", 10)
    with pytest.raises(UserError, match="k >= 1"):
        expected_outcome(one, one, "recall", 0)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(3, 95, 0.007, 0.090), (7, 95, 0.030, 0.146), (8, 95, 0.037, 0.159)],
)
def test_few_hits_of_few_users_leave_wide_intervals(hits, n, low, high):
    assert [round(end, 3) for end in hits_interval(hits, n)] == [low, high]


def test_the_interval_covers_at_least_what_it_says():
    n, rate = 40, 0.2
    covered = 0.0
    for hits in range(n + 1):
        low, high = hits_interval(hits, n)
        if low <= rate <= high:
            covered += math.comb(n, hits) * rate**hits * (1 - rate) ** (n - hits)
    assert 0.95 <= covered < 0.99


def test_no_hits_and_all_hits_reach_the_ends():
    assert hits_interval(0, 10)[0] == 0
    assert hits_interval(10, 10)[1] == 1
    assert hits_interval(0, 0) == (0.0, 1.0)
