"""The frozen language model shared out among the ranks, a layer put together while it computes."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import torch

from recdistill.errors import UserError
from recdistill.ranks import current

if TYPE_CHECKING:
    from torch import nn

    from recdistill.teachers._network import TeacherNetwork


def sharded(network: TeacherNetwork) -> TeacherNetwork:
    """Return a copy of the network whose frozen layers every rank holds a part of (FSDP).

    What learns, some thousandth of a large language model, stays whole on every rank, so steps,
    averages, checks and checkpoints are those of one device. The network itself stays where it is:
    it is whole, for what comes after the training.

    Raises
    ------
    UserError
        When there is no frozen language model.
    """
    group = current()
    if network.peft is None or network.settings.train_backbone or group is None:
        raise UserError(
            "strategy=fsdp shares the frozen language model out, and here is none: use "
            "strategy=ddp with adapter=head or train_backbone=true."
        )
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    copy = deepcopy(network)
    mesh = init_device_mesh("cuda" if torch.cuda.is_available() else "cpu", (group.place.size,))
    for layer in _layers(copy.causal_lm.base_model):
        fully_shard(layer, mesh=mesh, ignored_params=_learning(layer))
    return copy


def _layers(body: nn.Module) -> list[nn.Module]:
    """Find the decoder's layers: the longest list of modules."""
    lists = [list(m) for m in body.modules() if isinstance(m, torch.nn.ModuleList)]
    return max(lists, key=len, default=[])


def _learning(module: nn.Module) -> set[nn.Parameter]:
    return {p for p in module.parameters() if p.requires_grad}
