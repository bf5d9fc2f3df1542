"""Gradients of all ranks, averaged once a step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import distributed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor, nn

# Gradients below this size travel together: one message costs about as much as a megabyte.
_LARGE = 2**20


def average(parameters: Iterable[nn.Parameter], size: int) -> None:
    """Put the mean over ``size`` ranks into every gradient; see ``Group.average``."""
    having = [(p, p.grad) for p in parameters if p.grad is not None]
    dense = [g for _, g in having if not g.is_sparse]
    small = [g for g in dense if g.numel() < _LARGE]
    for large in dense:
        if large.numel() >= _LARGE:
            _mean(large, size)
    if small:
        flat = torch.cat([g.reshape(-1) for g in small])
        _mean(flat, size)
        parts = torch.split(flat, [g.numel() for g in small])
        torch._foreach_copy_(small, [part.view_as(g) for part, g in zip(parts, small, strict=True)])
    for p, gradient in having:
        if gradient.is_sparse:
            p.grad = _mean_of_rows(gradient, size)


def _mean(values: Tensor, size: int) -> None:
    distributed.all_reduce(values)
    values.div_(size)


def _mean_of_rows(gradient: Tensor, size: int) -> Tensor:
    """Return the mean gradient of the rows that any rank touched; only those travel.

    Parameters
    ----------
    gradient : sparse tensor, shape [n_rows, dim]
        Of the rows that this rank touched.
    """
    gradient = gradient.coalesce()
    rows, values = gradient.indices()[0], gradient.values()  # [n_touched], [n_touched, dim]
    counts = _of_all(torch.tensor([len(rows)], device=rows.device), size)
    most = max(int(n) for n in counts)
    all_rows = _of_all(_padded(rows, most), size)
    all_values = _of_all(_padded(values, most), size)
    whole = torch.sparse_coo_tensor(
        torch.cat([part[:n] for part, n in zip(all_rows, counts, strict=True)])[None],
        torch.cat([part[:n] for part, n in zip(all_values, counts, strict=True)]) / size,
        gradient.shape,
        check_invariants=False,
    )
    return whole.coalesce()


def _of_all(mine: Tensor, size: int) -> list[Tensor]:
    theirs = [torch.empty_like(mine) for _ in range(size)]
    distributed.all_gather(theirs, mine)
    return theirs


def _padded(values: Tensor, length: int) -> Tensor:
    padded = values.new_zeros(length, *values.shape[1:])
    padded[: len(values)] = values
    return padded
