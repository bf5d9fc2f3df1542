"""On how many devices a model is trained: what the user asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from recdistill.errors import UserError, require_choice, require_least

Strategy = Literal["ddp", "fsdp"]


@dataclass(frozen=True)
class Devices:
    """Where a training runs, which is no part of what is trained.

    The batches are those of one process, shared out, so the number of devices changes the result
    as rounding does; dropout and negatives, which every process has for itself, change it as
    another seed does.

    Attributes
    ----------
    devices : int
        Processes on each host: one per GPU, or per core or two of a CPU.
    num_nodes : int
        Hosts. More than one are started by ``torchrun`` or ``srun``.
    strategy : "ddp" or "fsdp"
        ``ddp``: every process holds the whole model. ``fsdp``, for ``train_teacher``: the frozen
        language model is shared out among them and a layer put together while it computes.
    """

    devices: int = 1
    num_nodes: int = 1
    strategy: Strategy = "ddp"

    def __post_init__(self) -> None:
        for name in ("devices", "num_nodes"):
            require_least(name, getattr(self, name), 1)
        require_choice("strategy", self.strategy, Strategy)

    @property
    def n_ranks(self) -> int:
        """Processes on all hosts together."""
        return self.devices * self.num_nodes

    def require_replicas(self) -> None:
        """Refuse for a student what only a teacher can do.

        Raises
        ------
        UserError
            For ``strategy=fsdp``.
        """
        if self.strategy != "ddp":
            raise UserError(
                f"strategy={self.strategy} shares a frozen language model out; a student is whole "
                "on every device: leave strategy at ddp."
            )
