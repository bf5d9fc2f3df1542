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


def test_offsets_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="offsets"):
        Sequences(np.array([1, 2], np.int32), np.array([0, 1], np.int64))
