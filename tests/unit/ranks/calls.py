"""What the tests let several processes do; another process finds it by its name."""

from __future__ import annotations

from dataclasses import dataclass

import psutil
import torch

from recdistill.errors import UserError
from recdistill.ranks import Group, current


@dataclass
class Found:
    """What the processes found; the mean of something that differs needs all of them.

    Attributes
    ----------
    facts : of each, its rank, their number, threads, addresses that are open to others, and all
    of_rank_0 : sum of what rank 0 began with
    dense_means : of a small gradient and a large one
    touched_rows : of a sparse gradient, the mean of each row that any of them has
    """

    facts: list[list[float]]
    of_rank_0: float
    dense_means: list[float]
    touched_rows: dict[int, float]


def all_of_each(a: torch.Tensor) -> Found:
    group = current()
    assert group is not None
    rank = group.place.rank
    mine = torch.nn.Parameter(torch.full((3,), float(rank)))
    group.take_from_lead([mine])
    large = torch.nn.Parameter(torch.zeros(2**20 + 1))
    for p in (mine, large):
        p.grad = torch.full_like(p, float(rank))
    table = torch.nn.Parameter(torch.zeros(5, 1))
    rows, values = ([0, 4, 4], [1.0, 2.0, 3.0]) if rank == 0 else ([3, 4], [8.0, 1.0])
    table.grad = torch.sparse_coo_tensor(
        torch.tensor([rows]), torch.tensor(values)[:, None], (5, 1), check_invariants=True
    )
    group.average([mine, table, large])
    assert mine.grad is not None
    assert large.grad is not None
    mean = table.grad.coalesce()
    return Found(
        facts_of_each(group),
        float(mine.detach().sum()) + float(a.sum()),
        [float(mine.grad.mean()), float(large.grad.mean())],
        dict(zip(mean.indices()[0].tolist(), mean.values()[:, 0].tolist(), strict=True)),
    )


def facts_of_each(group: Group) -> list[list[float]]:
    listening = [c.laddr.ip for c in psutil.Process().net_connections() if c.status == "LISTEN"]
    open_to_others = sum(ip not in ("127.0.0.1", "::1") for ip in listening)
    facts = [group.place.rank, group.place.size, torch.get_num_threads(), open_to_others]
    return group.by_rank([*facts, len(listening)])


def refuse_on(which: int) -> None:
    group = current()
    assert group is not None
    if group.place.rank == which:
        raise UserError("This share cannot be learnt from.")
    group.sums([1.0])
