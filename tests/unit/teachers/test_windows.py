from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill.data import Sequences
from recdistill.teachers import Windows, training_windows
from recdistill.teachers._token_batches import token_batches
from recdistill.teachers._windows import export_windows, make_batch

ROWS = st.lists(st.lists(st.integers(1, 50), max_size=14), min_size=1, max_size=6)


def asked(windows: Windows) -> list[tuple[int, int]]:
    return [
        (int(row), position)
        for row, begin, end in zip(windows.rows, windows.first_target, windows.last, strict=True)
        for position in range(begin, end)
    ]


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(1, 6))
def test_export_asks_every_position_with_history_once(rows: list[list[int]], length: int) -> None:
    windows = export_windows(Sequences.from_lists(rows), length)
    want = [(row, p) for row, items in enumerate(rows) for p in range(1, len(items))]
    assert sorted(asked(windows)) == want
    assert (windows.n_read <= length).all()
    context = windows.first_target - windows.first
    assert (context >= np.minimum(length // 2, windows.first_target)).all()


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(1, 6))
def test_training_on_all_asks_every_position_at_most_once(
    rows: list[list[int]], length: int
) -> None:
    windows = training_windows(Sequences.from_lists(rows), length, "all")
    got = asked(windows)
    assert len(set(got)) == len(got)
    long_enough = {(row, p) for row, items in enumerate(rows) for p in range(1, len(items))}
    assert long_enough <= set(got)
    newest = training_windows(Sequences.from_lists(rows), length, "newest")
    assert set(asked(newest)) <= set(got)
    assert newest.rows.tolist() == [row for row, items in enumerate(rows) if len(items) > 1]


@settings(max_examples=60, deadline=None)
@given(ROWS.filter(lambda rows: any(len(r) > 1 for r in rows)), st.integers(1, 6))
def test_a_batch_reads_what_comes_before_each_target(rows: list[list[int]], length: int) -> None:
    windows = training_windows(Sequences.from_lists(rows), length, "all")
    batch = make_batch(Sequences.from_lists(rows), windows)
    for b in range(len(windows)):
        items = rows[windows.rows[b]]
        for step in batch.targets[b].nonzero().flatten().tolist():
            position = int(windows.first[b]) + step
            assert batch.targets[b, step] == items[position]
            assert batch.items[b, :step].tolist() == items[windows.first[b] : position]
    assert int((batch.targets > 0).sum()) == windows.n_targets.sum()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=50), st.integers(10, 80))
def test_batches_keep_the_token_budget_and_every_window(sizes: list[int], budget: int) -> None:
    n_tokens = np.array(sizes)
    batches = token_batches(n_tokens, budget, np.random.default_rng(0))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(sizes)))
    cost = [len(batch) * n_tokens[batch].max() for batch in batches]
    assert all(c <= budget or len(b) == 1 for c, b in zip(cost, batches, strict=True))
    assert cost[0] == max(cost)
