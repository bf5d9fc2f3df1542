"""The processes of one training as each of them sees the others."""

from __future__ import annotations

import resource
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import torch
from torch import distributed

from recdistill.ranks._gradients import average

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torch import Tensor, nn

    from recdistill.ranks._place import Place
    from recdistill.ranks._store import Store

# Longest wait for another rank within a training: all of them work on equal shares.
_PATIENCE = timedelta(minutes=30)

_current: Group | None = None


class Group:
    """All ranks of a training; each method is called by all of them, in the same order.

    Parameters
    ----------
    place : Place
        Of this process.
    store : Store
        Words that every rank can leave for the others, such as why it ended.
    """

    def __init__(self, place: Place, store: Store) -> None:
        self.place, self.store = place, store

    @property
    def seed(self) -> int:
        """What this rank adds to a seed, so that it draws apart from the others; 0 on rank 0."""
        return self.place.rank * 7_919_000_003

    def average(self, parameters: Iterable[nn.Parameter]) -> None:
        """Put the mean over the ranks into every gradient.

        A gradient is missing on all ranks or on none: they run the same model. Of a sparse one, the
        rows that any rank touched.
        """
        average(parameters, self.place.size)

    def take_from_lead(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite these with what rank 0 has."""
        for tensor in tensors:
            distributed.broadcast(tensor.detach(), 0)

    def sums(self, values: Sequence[float | Tensor]) -> list[float]:
        """Add numbers up over the ranks, in double precision."""
        total = torch.tensor([float(v) for v in values], dtype=torch.float64)
        distributed.all_reduce(total)
        return [float(v) for v in total]

    def all_agree(self, yes: bool) -> bool:
        """Whether every rank says yes."""
        return self.sums([float(yes)])[0] == self.place.size

    def by_rank(self, values: Sequence[float]) -> list[list[float]]:
        """Return the numbers of every rank, those of rank 0 first."""
        mine = torch.tensor(values, dtype=torch.float64)
        theirs = [torch.empty_like(mine) for _ in range(self.place.size)]
        distributed.all_gather(theirs, mine)
        return [row.tolist() for row in theirs]

    def dealt_back(self, rows: Tensor, n: int) -> Tensor:
        """Put together the rows that were dealt out one by one: rank ``r`` had ``r::size``.

        Parameters
        ----------
        rows : tensor, shape [n_own, width], ``n_own`` the number dealt to this rank
        n : int
            Rows of all ranks.

        Returns
        -------
        tensor, shape [n, width], the same on every rank
        """
        size = self.place.size
        deepest = -(-n // size)
        mine = rows.new_zeros(deepest, rows.shape[1])
        mine[: len(rows)] = rows
        theirs = [torch.empty_like(mine) for _ in range(size)]
        distributed.all_gather(theirs, mine)
        return torch.stack(theirs, 1).flatten(0, 1)[:n]  # [deepest, size, width] -> [n, width]

    def bytes_of_lead(self, content: bytes | None) -> bytes | None:
        """Return what rank 0 holds; the others give None."""
        length = torch.tensor([-1 if content is None else len(content)])
        distributed.broadcast(length, 0)
        if length < 0:
            return None
        if self.place.rank == 0 and content is not None:
            data = torch.frombuffer(bytearray(content or b"\0"), dtype=torch.uint8)
        else:
            data = torch.empty(max(int(length), 1), dtype=torch.uint8)
        distributed.broadcast(data, 0)
        return data.numpy().tobytes()[: int(length)]


@contextmanager
def opened(place: Place, store: Store) -> Iterator[Group]:
    """Connect this process with the others; all ranks come here at about the same time."""
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(place.local_rank % torch.cuda.device_count())
    distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if cuda else "gloo",
        store=store,  # type: ignore[arg-type]
        rank=place.rank,
        world_size=place.size,
        timeout=_PATIENCE,
    )
    try:
        yield Group(place, store)
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()


@contextmanager
def working(group: Group) -> Iterator[None]:
    """Let this process train in ``group``: all that it runs in the block, the others run too."""
    global _current
    _current = group
    try:
        yield
    finally:
        _current = None


def current() -> Group | None:
    """Return the group that this process trains in, or None where it trains alone."""
    return _current


def is_lead() -> bool:
    """Whether this process writes what is kept: rank 0, or one that is alone."""
    return _current is None or _current.place.rank == 0


def peaks_by_rank() -> dict[str, float]:
    """Return the memory peaks of every process but rank 0, whose run logs its own.

    ``memory/rank<r>_peak_rss_mb`` and, where there are GPUs, ``memory/rank<r>_peak_allocated_mb``;
    one MB is 10^6 bytes. Empty where a process trains alone.
    """
    if _current is None:
        return {}
    cuda = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    peaks = {}
    for rank, (rss, allocated) in enumerate(_current.by_rank([resident, cuda])):
        if rank:
            peaks[f"memory/rank{rank}_peak_rss_mb"] = round(rss / 1e6, 1)
            if allocated:
                peaks[f"memory/rank{rank}_peak_allocated_mb"] = round(allocated / 1e6, 1)
    return peaks
