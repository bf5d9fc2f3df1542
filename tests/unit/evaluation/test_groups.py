import numpy as np
import pytest

from recdistill.evaluation import evaluate, group_metrics, outcome


@pytest.fixture
def per_user(scorer, cases, catalog, train):
    ages = np.where(np.arange(len(cases.targets)) < 30, np.arange(40.0), np.nan)
    return evaluate(scorer, cases, catalog, train, target_age=ages).per_user


def test_groups_of_one_property_hold_every_known_case_once(per_user):
    groups = group_metrics(per_user).groupby("grouping")["n_users"].sum()
    assert groups.to_dict() == {"history length": 40, "item popularity": 40, "item age": 30}


def test_the_weighted_mean_of_groups_is_the_whole(per_user):
    groups = group_metrics(per_user, k=5, masked=False)
    popularity = groups[groups["grouping"] == "item popularity"]
    for metric in ("recall", "ndcg", "mrr"):
        mean = np.average(popularity[metric], weights=popularity["n_users"])
        assert mean == pytest.approx(outcome(per_user, metric, 5, masked=False).mean())
    assert (popularity["recall_low"] <= popularity["recall"]).all()
    assert (popularity["recall"] <= popularity["recall_high"]).all()


def test_groups_are_ordered_and_do_not_overlap(per_user):
    ages = group_metrics(per_user, n_groups=3).query("grouping == 'item age'")
    assert ages["n_users"].tolist() == [10, 10, 10]
    assert (ages["lowest"].to_numpy()[1:] > ages["highest"].to_numpy()[:-1]).all()


def test_equal_values_stay_together(per_user):
    lengths = group_metrics(per_user).query("grouping == 'history length'")
    assert len(lengths) == per_user["history_length"].nunique() == 1
    assert lengths["group"].tolist() == [0]


def test_a_property_nobody_knows_is_left_out(per_user):
    assert "item age" not in set(group_metrics(per_user.drop(columns="target_age"))["grouping"])
