"""Where a text places an item: among its nearest, whatever else is placed."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill.students import _text_neighbours
from recdistill.students._text_neighbours import length_of_few, rows_of_neighbours


@settings(max_examples=30, deadline=None)
@given(n_trained=st.integers(1, 40), n_new=st.integers(1, 9), seed=st.integers(0, 99))
def test_a_place_depends_on_nobody_else_and_not_on_lengths(
    n_trained: int, n_new: int, seed: int
) -> None:
    draw = torch.Generator().manual_seed(seed)
    table, texts, new = (
        torch.randn(n, 6, generator=draw, dtype=torch.float64)
        for n in (n_trained, n_trained, n_new)
    )
    rows = rows_of_neighbours(table, texts, new, 3.0)
    alone = torch.cat([rows_of_neighbours(table, texts, one[None], 3.0) for one in new])
    torch.testing.assert_close(rows, alone)
    stretched = rows_of_neighbours(table, 5 * texts, 0.1 * new, 3.0)
    torch.testing.assert_close(rows, stretched)
    lengths = rows.norm(dim=1)
    assert ((lengths - 3).abs() < 1e-9).logical_or(lengths == 0).all()


def test_chunks_change_nothing(monkeypatch) -> None:
    draw = torch.Generator().manual_seed(0)
    table, texts, new = (torch.randn(n, 4, generator=draw) for n in (20, 20, 15))
    whole = rows_of_neighbours(table, texts, new, 1.0)
    monkeypatch.setattr(_text_neighbours, "_MOST_NUMBERS", 100)
    torch.testing.assert_close(rows_of_neighbours(table, texts, new, 1.0), whole)


def test_a_far_neighbour_hardly_counts() -> None:
    table = torch.eye(3)
    texts = torch.tensor([[1.0, 0.0], [0.6, 0.8], [-1.0, 0.0]])
    (row,) = rows_of_neighbours(table, texts, torch.tensor([[2.0, 0.0]]), 1.0)
    torch.testing.assert_close(
        row, torch.nn.functional.normalize(torch.tensor([1, 0.6**8, 0.0]), dim=0)
    )


def test_the_few_are_the_least_taken_that_were_taken_at_all() -> None:
    table = torch.diag(torch.tensor([9.0, 1.0, 2.0, 3.0]))
    assert length_of_few(table, np.array([0, 1, 50, 70])) == 1
    assert length_of_few(table, np.array([0, 0, 50, 70])) == 2
