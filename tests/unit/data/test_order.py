"""Counting sorts do what the slow sorts do."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recdistill.data._order import by_user_and_time, grouped, renumbered, starts_of

PAIRS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), max_size=40)


@given(PAIRS, st.sampled_from(["as drawn", "by time", "by user"]))
def test_rows_come_by_user_and_time_and_ties_keep_their_order(
    pairs: list[tuple[int, int]], arrangement: str
) -> None:
    if arrangement == "by time":
        pairs = sorted(pairs, key=lambda pair: pair[1])
    elif arrangement == "by user":
        pairs = sorted(pairs)
    user = np.array([u for u, _ in pairs], np.int32)
    order = np.array([t for _, t in pairs], np.int64)
    places = by_user_and_time(user, order, 6)
    expected = np.lexsort([order, user])
    got = np.arange(len(pairs)) if places is None else places
    assert got.tolist() == expected.tolist()
    firsts = starts_of(user[expected])
    assert int(firsts.sum()) == len(set(user.tolist()))


@given(st.lists(st.integers(0, 6), max_size=40))
def test_groups_are_stable_and_numbers_close_up(codes: list[int]) -> None:
    array = np.array(codes, np.int32)
    assert grouped(array, 7).tolist() == np.argsort(array, kind="stable").tolist()
    kept = np.bincount(array, minlength=7) > 0
    numbers = renumbered(array, kept)
    ranks = {code: rank for rank, code in enumerate(sorted(set(codes)))}
    assert numbers.tolist() == [ranks[code] for code in codes]
