"""Which student, and how large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import torch

from recdistill.errors import UserError
from recdistill.students._gru4rec import GRU4Rec
from recdistill.students._sasrec import SASRec

if TYPE_CHECKING:
    from recdistill.training import SequentialModel

StudentKind = Literal["sasrec", "gru4rec"]


@dataclass(frozen=True)
class StudentConfig:
    """Architecture of a student.

    Attributes
    ----------
    kind : "sasrec" or "gru4rec"
    dim : int
        Width of item vectors and states.
    n_blocks : int
        Transformer blocks, or GRU layers.
    n_heads : int
        Attention heads (SASRec); must divide ``dim``.
    ffn_multiplier : int
        Width of a block's feed-forward net over ``dim`` (SASRec).
    max_length : int
        Longest history read.
    dropout : float
    """

    kind: StudentKind = "sasrec"
    dim: int = 64
    n_blocks: int = 2
    n_heads: int = 1
    ffn_multiplier: int = 1
    max_length: int = 200
    dropout: float = 0.2

    def __post_init__(self) -> None:
        if self.kind not in get_args(StudentKind):
            allowed = ", ".join(get_args(StudentKind))
            raise UserError(f"student.kind is {self.kind!r}; it must be one of {allowed}.")
        for name in ("dim", "n_blocks", "n_heads", "ffn_multiplier", "max_length"):
            if getattr(self, name) < 1:
                raise UserError(f"student.{name} is {getattr(self, name)}; it must be at least 1.")
        if self.dim % self.n_heads:
            raise UserError(
                f"student.n_heads is {self.n_heads}, which does not divide student.dim={self.dim}."
            )
        if not 0 <= self.dropout < 1:
            raise UserError(f"student.dropout is {self.dropout}; it must be in [0, 1).")


def build_student(config: StudentConfig, n_items: int, *, seed: int) -> SequentialModel:
    """Return an untrained student; equal arguments give equal weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if config.kind == "gru4rec":
            return GRU4Rec(
                n_items,
                dim=config.dim,
                n_blocks=config.n_blocks,
                max_length=config.max_length,
                dropout=config.dropout,
            )
        return SASRec(
            n_items,
            dim=config.dim,
            n_blocks=config.n_blocks,
            n_heads=config.n_heads,
            max_length=config.max_length,
            ffn_multiplier=config.ffn_multiplier,
            dropout=config.dropout,
        )
