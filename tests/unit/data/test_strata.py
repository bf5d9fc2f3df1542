"""Strata of targets by the training count of their item."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recdistill.data import (
    STRATA,
    Sequences,
    strata,
    training_counts,
)
from recdistill.data._strata import targets_by_stratum


@given(st.lists(st.lists(st.integers(1, 6), max_size=30), min_size=1, max_size=6))
def test_every_target_is_in_the_stratum_of_its_count(rows: list[list[int]]) -> None:
    train = Sequences.from_lists(rows)
    slow = Counter(item for row in rows for item in row)
    counts = training_counts(train, 6)
    assert counts.tolist() == [slow[item] for item in range(7)]
    targets = np.arange(1, 7, dtype=np.int32)
    names = [STRATA[s] for s in strata(counts[targets])]
    for name, item in zip(names, range(1, 7), strict=True):
        low, _, high = name.rstrip("+").partition("-")
        assert int(low) <= slow[item] <= (int(high or low) if "+" not in name else 10**9)
    assert targets_by_stratum(train, targets, 6) == {s: names.count(s) for s in STRATA}
