"""A row under RowAdamW is what dense AdamW makes of the steps that touched it."""

from __future__ import annotations

import copy

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill.training import RowAdamW

_KNOBS = {"lr": 0.03, "weight_decay": 0.1, "fused": True}


def _sparse(rows: list[int], values: torch.Tensor, n_rows: int) -> torch.Tensor:
    index = torch.tensor([rows], dtype=torch.int64)
    return torch.sparse_coo_tensor(index, values, (n_rows, values.shape[1]), check_invariants=True)


@settings(max_examples=15, deadline=None)
@given(
    touched=st.lists(st.lists(st.integers(0, 5), max_size=8), min_size=1, max_size=12),
    seed=st.integers(0, 99),
)
def test_every_row_is_dense_adamw_over_the_steps_that_touched_it(
    touched: list[list[int]], seed: int
):
    generator = torch.Generator().manual_seed(seed)
    table = torch.nn.Parameter(torch.randn(6, 3, generator=generator))
    # Each row a parameter of its own: its dense AdamW steps when the row is touched, and only then.
    alone = [torch.nn.Parameter(row.detach().clone()[None]) for row in table]
    dense = [torch.optim.AdamW([row], **_KNOBS) for row in alone]  # type: ignore[arg-type]
    sparse = RowAdamW([table], **_KNOBS)  # type: ignore[arg-type]
    for rows in touched:
        values = torch.randn(len(rows), 3, generator=generator)  # a row twice: its gradients add up
        table.grad = _sparse(rows, values, 6)
        whole = table.grad.to_dense()
        sparse.step()
        for row in set(rows):
            alone[row].grad = whole[row][None]
            dense[row].step()
    torch.testing.assert_close(table.detach(), torch.cat([row.detach() for row in alone]))


def test_a_row_that_no_step_touched_keeps_its_bits():
    table = torch.nn.Parameter(torch.randn(5, 3))
    before = table.detach().clone()
    optimizer = RowAdamW([table], **_KNOBS)  # type: ignore[arg-type]
    table.grad = _sparse([1, 3], torch.randn(2, 3), 5)
    optimizer.step()
    assert torch.equal(table[[0, 2, 4]], before[[0, 2, 4]])
    assert not torch.isclose(table[[1, 3]], before[[1, 3]]).any()


def test_dense_parameters_beside_it_move_as_under_adamw():
    table, other = torch.nn.Parameter(torch.randn(5, 3)), torch.nn.Parameter(torch.randn(4, 4))
    same = torch.nn.Parameter(other.detach().clone())
    ours = RowAdamW([table, other], **_KNOBS)  # type: ignore[arg-type]
    plain = torch.optim.AdamW([same], **_KNOBS)  # type: ignore[arg-type]
    for _ in range(3):
        table.grad = _sparse([2], torch.randn(1, 3), 5)
        other.grad = torch.randn(4, 4)
        same.grad = other.grad.clone()
        ours.step()
        plain.step()
    assert torch.equal(other, same)
    assert table.grad.is_sparse  # the gradient is still there, for who averages after the step


def test_it_goes_on_from_its_saved_state_to_the_bit():
    torch.manual_seed(0)
    table = torch.nn.Parameter(torch.randn(5, 3))
    steps = [_sparse([0, 2], torch.randn(2, 3), 5), _sparse([2, 4], torch.randn(2, 3), 5)]
    first = RowAdamW([table], **_KNOBS)  # type: ignore[arg-type]
    table.grad = steps[0]
    first.step()
    again = torch.nn.Parameter(table.detach().clone())
    second = RowAdamW([again], **_KNOBS)  # type: ignore[arg-type]
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for parameter, optimizer in ((table, first), (again, second)):
        parameter.grad = steps[1]
        optimizer.step()
    assert torch.equal(table, again)
