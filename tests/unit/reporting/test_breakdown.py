import numpy as np
import pytest

from recdistill.reporting import (
    Resampling,
    load_groups,
    select_runs,
)
from recdistill.reporting._breakdown import break_down

from .small_runs import per_user


def test_slices_cover_every_user_once_and_average_to_the_whole_difference(store):
    store.write("counter", table=per_user(1.0, 1))
    store.write("sasrec", table=per_user(2.0, 2))
    groups = {g.label: g for g in load_groups(select_runs(store.client, "", floors=False))}
    found = break_down(
        list(groups.values()), groups["counter"], "recall", Resampling(n_resamples=200)
    )
    difference = (
        groups["sasrec"].trainings("recall").mean - groups["counter"].trainings("recall").mean
    )
    assert set(found) == {"Items in the history", "Training interactions of the target"}
    targets = found["Training interactions of the target"]
    assert [one.words for one in targets] == ["0", "1-4", "5-19", "20+"]
    for slices in found.values():
        sizes = np.array([s.n_cases for s in slices])
        gains = np.array([s.gains["sasrec"][0] for s in slices])
        assert sizes.sum() == 300
        assert sizes @ gains / 300 == pytest.approx(difference)
        assert all(low <= mean <= high for s in slices for mean, low, high in s.gains.values())


def test_an_attribute_that_is_the_same_for_all_is_left_out(store):
    for model in ("counter", "sasrec"):
        store.write(model, table=per_user(1.0, 1).assign(history_length=5))
    groups = load_groups(select_runs(store.client, "", floors=False))
    found = break_down(groups, groups[0], "recall", Resampling(n_resamples=200))
    assert set(found) == {"Training interactions of the target"}
