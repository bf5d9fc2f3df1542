"""What the tests let several processes do; another process finds it by its name."""

from __future__ import annotations

import psutil
import torch

from recdistill.errors import UserError
from recdistill.ranks import current


def rank() -> int:
    group = current()
    return group.place.rank if group else 0


def facts_of_each() -> list[list[float]]:
    """Rank, size, threads, and listening addresses that are not the host's own."""
    group = current()
    assert group is not None
    listening = [c.laddr.ip for c in psutil.Process().net_connections() if c.status == "LISTEN"]
    open_to_others = sum(ip not in ("127.0.0.1", "::1") for ip in listening)
    facts = [group.place.rank, group.place.size, torch.get_num_threads(), open_to_others]
    return group.by_rank([*facts, len(listening)])


def refuse_on(which: int) -> None:
    group = current()
    assert group is not None
    if rank() == which:
        raise UserError("This share cannot be learnt from.")
    group.sums([1.0])


def break_on(which: int) -> None:
    group = current()
    assert group is not None
    if rank() == which:
        raise ValueError("no such thing")
    group.sums([1.0])


def differs(a: torch.Tensor) -> tuple[float, list[float]]:
    """What rank 0 has, everywhere; and a mean of gradients that only the ranks' number makes."""
    group = current()
    assert group is not None
    mine = torch.nn.Parameter(torch.full((3,), float(rank())))
    group.take_from_lead([mine])
    large = torch.nn.Parameter(torch.zeros(2**20 + 1))
    for p in (mine, large):
        p.grad = torch.full_like(p, float(rank()))
    group.average([mine, large])
    assert mine.grad is not None
    assert large.grad is not None
    means = [float(mine.grad.mean()), float(large.grad.mean())]
    return float(mine.detach().sum()) + float(a.sum()), means


def rows_averaged() -> tuple[list[int], list[float]]:
    """Rows and values of the mean of gradients of which each rank has its own rows."""
    group = current()
    assert group is not None
    table = torch.nn.Parameter(torch.zeros(5, 1))
    rows, values = ([0, 4, 4], [1.0, 2.0, 3.0]) if rank() == 0 else ([3, 4], [8.0, 1.0])
    table.grad = torch.sparse_coo_tensor([rows], torch.tensor(values)[:, None], (5, 1))
    group.average([table])
    mean = table.grad.coalesce()
    return mean.indices()[0].tolist(), mean.values()[:, 0].tolist()
