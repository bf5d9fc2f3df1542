import numpy as np
import pytest

from recdistill.data import Sequences
from recdistill.evaluation._lists import describe_lists, popularity_percentile


def test_coverage_counts_distinct_items_over_the_catalog():
    percentile = popularity_percentile(np.array([0, 4, 3, 2, 1]))
    top = np.array([[1, 2, 3], [1, 3, 0]])
    values = describe_lists(top, Sequences.from_lists([[1], [2]]), percentile)
    assert values["coverage_at_1"] == 1 / 4
    assert values["coverage_at_5"] == 3 / 4
    assert values["popularity_at_1"] == percentile[1]
    assert values["popularity_at_5"] == pytest.approx(percentile[[1, 2, 3, 1, 3]].mean())
    assert values["popularity_lift_at_1"] == percentile[1] / percentile[[1, 2]].mean()


def test_without_any_history_there_is_no_lift():
    percentile = popularity_percentile(np.array([0, 1, 2]))
    values = describe_lists(np.array([[1, 2]]), Sequences.from_lists([[]]), percentile)
    assert not any("lift" in name for name in values)
    assert values["coverage_at_5"] == 1.0


def test_percentiles_are_shares_of_less_popular_items():
    percentile = popularity_percentile(np.array([9, 10, 0, 5, 5]))
    assert percentile.tolist() == [0.0, 0.875, 0.125, 0.5, 0.5]
