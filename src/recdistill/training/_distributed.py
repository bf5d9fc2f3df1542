"""Lightning's data parallel training, on the ranks of a group: who they are and what each reads."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from pytorch_lightning.plugins.environments import (  # type: ignore[attr-defined]
    ClusterEnvironment,
)
from pytorch_lightning.strategies import DDPStrategy
from torch.utils.data import DataLoader, Dataset, Sampler

from recdistill.errors import UserError
from recdistill.ranks import current, share_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from recdistill.ranks import Group, Place

    Share = tuple[NDArray[np.int64], float]
    CountTargets = Callable[[NDArray[np.int64]], NDArray[np.int64]]


def placement(accelerator: str) -> dict[str, Any]:
    """Return what a ``Trainer`` must be told about devices, alone or in a group.

    Raises
    ------
    UserError
        When there are more processes on this host than GPUs.
    """
    group = current()
    if group is None:
        return {"devices": 1}
    place, n_gpus = group.place, torch.cuda.device_count()
    if accelerator != "cpu" and place.local_size > n_gpus:
        raise UserError(
            f"devices={place.local_size}, but this host has {n_gpus} GPUs: ask for that many, or "
            "for device=cpu where the stage has it."
        )
    return {
        "devices": place.local_size,
        "num_nodes": place.n_nodes,
        "strategy": Replicas(group),
    }


class Replicas(DDPStrategy):
    """Lightning's DDP with the gradients averaged once a step instead of during the backward.

    The module stays unwrapped: who trains it calls ``Group.average`` when its gradients are whole.
    A teacher's step may be cut into pieces and start over, and the ranks must agree that it is
    done before any gradient travels; a student's gradients are a few megabytes that a step of
    arithmetic dwarfs.

    Parameters
    ----------
    group : Group
    """

    def __init__(self, group: Group) -> None:
        super().__init__(cluster_environment=_Places(group.place))
        self._group = group

    def configure_ddp(self) -> None:
        """Let every rank start from what rank 0 has, instead of wrapping the module."""
        if self.model is not None:
            self._group.take_from_lead(p for p in self.model.parameters() if p.requires_grad)


class _Places(ClusterEnvironment):
    """Tells Lightning who the processes are; they run already."""

    def __init__(self, place: Place) -> None:
        self._place = place

    creates_processes_externally = True
    main_address, main_port = "", 0  # the group is connected already

    @staticmethod
    def detect() -> bool:
        return False

    def world_size(self) -> int:
        return self._place.size

    def set_world_size(self, size: int) -> None:
        pass

    def global_rank(self) -> int:
        return self._place.rank

    def set_global_rank(self, rank: int) -> None:
        pass

    def local_rank(self) -> int:
        return self._place.local_rank

    def node_rank(self) -> int:
        return self._place.node


def shared_out(loader: DataLoader[Any], count: CountTargets) -> DataLoader[Any]:
    """Return the loader of this rank's share of every batch; alone, the loader itself.

    Parameters
    ----------
    loader : DataLoader
        Its sampler draws an array of windows for each batch, sorted by size; its batches are
        dataclasses with a field ``share``.
    count : callable
        Takes such an array and returns the number of targets of each window.
    """
    group = current()
    if group is None:
        return loader
    whole: Any = loader
    sampler = _SharedSampler(whole.sampler, count, group.place)
    return DataLoader(_SharedDataset(whole.dataset), sampler=sampler, batch_size=None)


class _SharedSampler(Sampler["Share"]):
    """A rank's windows of every batch that the whole sampler draws, and their weight."""

    def __init__(self, whole: Any, count: CountTargets, place: Place) -> None:
        self.whole, self.count, self.place = whole, count, place

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch to draw for; Lightning calls this."""
        if hasattr(self.whole, "set_epoch"):
            self.whole.set_epoch(epoch)

    def __iter__(self) -> Iterator[Share]:
        """Yield an array of windows and the factor on their mean loss."""
        for windows in self.whole:
            yield share_of(windows, self.count(windows), self.place)

    def __len__(self) -> int:
        return len(self.whole)


class _SharedDataset(Dataset[Any]):
    """Turns a rank's windows into its batch."""

    def __init__(self, whole: Dataset[Any]) -> None:
        self.whole = whole

    def __getitem__(self, share: Share) -> Any:
        windows, factor = share
        return replace(self.whole[windows], share=factor)
