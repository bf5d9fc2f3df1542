"""Which student, and how large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import torch

from recdistill.errors import UserError
from recdistill.students._cooccurrence import cooccurrence_vectors
from recdistill.students._gru4rec import GRU4Rec
from recdistill.students._item_table import ItemContent, ItemKind
from recdistill.students._sasrec import SASRec

if TYPE_CHECKING:
    from recdistill.data import Sequences
    from recdistill.training import SequentialModel

StudentKind = Literal["sasrec", "gru4rec"]
ItemStart = Literal["random", "cooccurrence"]


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
    item_start : "random" or "cooccurrence"
        Where the item table starts: small random vectors, or vectors counted from the training
        histories (`cooccurrence_vectors`), which take seconds and save epochs.
    item, id_dropout, delta
        What an item's vector is made of: ``ItemContent``.
    """

    kind: StudentKind = "sasrec"
    dim: int = 64
    n_blocks: int = 2
    n_heads: int = 2
    ffn_multiplier: int = 1
    max_length: int = 200
    dropout: float = 0.2
    item_start: ItemStart = "cooccurrence"
    item: ItemKind = "id"
    id_dropout: float = 0.0
    delta: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(StudentKind):
            allowed = ", ".join(get_args(StudentKind))
            raise UserError(f"student.kind is {self.kind!r}; it must be one of {allowed}.")
        if self.item_start not in get_args(ItemStart):
            allowed = ", ".join(get_args(ItemStart))
            raise UserError(
                f"student.item_start is {self.item_start!r}; it must be one of {allowed}."
            )
        for name in ("dim", "n_blocks", "n_heads", "ffn_multiplier", "max_length"):
            if getattr(self, name) < 1:
                raise UserError(f"student.{name} is {getattr(self, name)}; it must be at least 1.")
        if self.dim % self.n_heads:
            raise UserError(
                f"student.n_heads is {self.n_heads}, which does not divide student.dim={self.dim}."
            )
        if not 0 <= self.dropout < 1:
            raise UserError(f"student.dropout is {self.dropout}; it must be in [0, 1).")
        self.content()

    def content(self) -> ItemContent:
        """Say what an item's vector is made of."""
        return ItemContent(self.item, self.id_dropout, self.delta)


def build_student(
    config: StudentConfig, n_items: int, *, seed: int, train: Sequences | None = None
) -> SequentialModel:
    """Return an untrained student; equal arguments give equal weights.

    Parameters
    ----------
    config : StudentConfig
    n_items : int
    seed : int
    train : Sequences, optional
        Training histories, for ``item_start="cooccurrence"``. Without them the table starts
        random: a student about to be loaded needs no start.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = _build(config, n_items)
    if config.item_start == "cooccurrence" and train is not None:
        vectors = cooccurrence_vectors(train, n_items, config.dim)
        met = vectors.abs().amax(1) > 0
        with torch.no_grad():
            model.item_table()[met] = vectors[met]
    return model


def _build(config: StudentConfig, n_items: int) -> SequentialModel:
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
