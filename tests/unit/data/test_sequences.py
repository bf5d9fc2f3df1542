"""Laws of sequences packed into one array."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.data import Sequences

ROWS = st.lists(st.lists(st.integers(1, 50), max_size=6), max_size=6)


@given(ROWS)
def test_rows_come_back(rows: list[list[int]]) -> None:
    packed = Sequences.from_lists(rows)
    assert [packed.row(i).tolist() for i in range(len(packed))] == rows
    assert packed.lengths.tolist() == [len(row) for row in rows]


@given(ROWS, st.data())
def test_take_is_indexing(rows: list[list[int]], data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1))) if rows else []
    taken = Sequences.from_lists(rows).take(np.array(chosen, dtype=np.int64))
    assert [taken.row(i).tolist() for i in range(len(taken))] == [rows[i] for i in chosen]


@given(ROWS, st.integers(1, 8))
def test_tail_keeps_the_newest(rows: list[list[int]], length: int) -> None:
    tail = Sequences.from_lists(rows).tail(length)
    assert [tail.row(i).tolist() for i in range(len(tail))] == [row[-length:] for row in rows]


@given(ROWS, st.integers(1, 8))
def test_padded_is_the_tail_with_zeros_on_the_right(rows: list[list[int]], length: int) -> None:
    padded = Sequences.from_lists(rows).padded(length)
    assert padded.shape == (len(rows), length)
    for row, out in zip(rows, padded.tolist(), strict=True):
        newest = row[-length:]
        assert out == newest + [0] * (length - len(newest))


@given(ROWS)
def test_keys_name_every_item_once(rows: list[list[int]]) -> None:
    packed = Sequences.from_lists(rows)
    users, positions = packed.keys()
    keys = list(zip(users.tolist(), positions.tolist(), strict=True))
    assert len(set(keys)) == len(packed.items)
    assert [rows[u][p] for u, p in keys] == packed.items.tolist()


def _timed(rows: list[list[int]], asked: int = 0) -> Sequences:
    """Rows whose items' times say which item of which row they are."""
    times = [[1_000 * i + j for j in range(len(row))] for i, row in enumerate(rows)]
    return Sequences.from_lists(rows, times).asked(np.arange(len(rows)) + asked)


@given(ROWS, st.data(), st.integers(1, 8))
def test_times_go_where_their_items_go(
    rows: list[list[int]], data: st.DataObject, length: int
) -> None:
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1))) if rows else []
    found = _timed(rows).take(np.array(chosen, dtype=np.int64)).tail(length)
    assert found.times is not None
    assert found.asked_at is not None
    assert found.asked_at.tolist() == chosen
    whole = [list(range(1_000 * i, 1_000 * i + len(rows[i])))[-length:] for i in chosen]
    assert found.times.tolist() == [time for row in whole for time in row]
    padded = found.padded_times()
    assert padded is not None
    for times, out, n in zip(whole, padded.tolist(), found.lengths, strict=True):
        assert out == times + [0] * (len(out) - n)


@given(ROWS, ROWS)
def test_rows_behind_others_keep_their_times_where_both_have_some(
    rows: list[list[int]], later: list[list[int]]
) -> None:
    one, two = _timed(rows), _timed(later, asked=100)
    both = one.followed_by(two)
    assert both.times is not None
    assert both.asked_at is not None
    assert both.take(np.arange(len(one), len(both))).times.tolist() == two.times.tolist()  # type: ignore[union-attr]
    assert both.asked_at.tolist() == [*range(len(rows)), *range(100, 100 + len(later))]
    without = one.followed_by(Sequences.from_lists(later))
    assert without.times is None
    assert without.asked_at is None


def test_times_that_do_not_fit_are_refused() -> None:
    rows = Sequences.from_lists([[1, 2], [3]])
    with pytest.raises(ValueError, match="one for every item"):
        Sequences(rows.items, rows.offsets, np.zeros(2, np.int64))
    with pytest.raises(ValueError, match="one for every row"):
        rows.asked(np.zeros(3, np.int64))


def test_offsets_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="offsets"):
        Sequences(np.array([1, 2], np.int32), np.array([0, 1], np.int64))
