"""Averages of a table whose rows are left alone are the averages of the whole table."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill.students import SASRec, item_embedding
from recdistill.training._averaging import AveragedWeights


def _student(*, sparse: bool) -> SASRec:
    torch.manual_seed(3)
    student = SASRec(6, dim=4, n_blocks=1, n_heads=1, max_length=4)
    item_embedding(student).sparse = sparse
    return student


@settings(max_examples=15, deadline=None)
@given(
    touched=st.lists(st.lists(st.integers(0, 6), unique=True), max_size=25),
    validated=st.sets(st.integers(0, 24)),
    decay=st.sampled_from([0.5, 0.99]),
)
def test_averages_of_touched_rows_are_the_dense_ones(
    touched: list[list[int]], validated: set[int], decay: float
):
    students = [_student(sparse=sparse) for sparse in (False, True)]
    averages = [AveragedWeights(student, decay) for student in students]
    torch.manual_seed(1)
    for step, rows in enumerate(touched):
        moves = torch.randn(len(rows), 4)
        for student, average in zip(students, averages, strict=True):
            table = student.item_table()
            if student.items.sparse:
                index = torch.tensor([rows], dtype=torch.int64)
                table.grad = torch.sparse_coo_tensor(
                    index, moves, table.shape, check_invariants=True
                )
            average.before_step()
            with torch.no_grad():
                table[rows] += moves
            average.update()
            if step in validated:
                with average.swapped_in():
                    pass
    for average in averages:
        with average.swapped_in():
            pass
    for dense, lazy in zip(averages[0].weights, averages[1].weights, strict=True):
        torch.testing.assert_close(dense, lazy, rtol=1e-5, atol=1e-6)


def test_swapping_in_shows_the_average_and_gives_the_weights_back():
    student = _student(sparse=True)
    average = AveragedWeights(student, 0.9)
    table = student.item_table()
    started = table.detach().clone()
    table.grad = torch.sparse_coo_tensor(
        torch.tensor([[2]]), torch.ones(1, 4), table.shape, check_invariants=True
    )
    average.before_step()
    with torch.no_grad():
        table[2] += 10
    average.update()
    moved = table.detach().clone()
    with average.swapped_in():
        assert torch.equal(student.item_table()[[0, 1, 3]], started[[0, 1, 3]])
        # The first decay is 1 / 10.
        torch.testing.assert_close(student.item_table()[2], started[2] + 9)
    assert torch.equal(student.item_table(), moved)
