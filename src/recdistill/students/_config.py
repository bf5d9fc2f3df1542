"""Which student, and how large: settings, read without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from recdistill.errors import UserError, require_choice, require_least
from recdistill.students._item_content import ItemContent, ItemKind
from recdistill.students._query_time import QueryTime

StudentKind = Literal["sasrec", "ligr", "hstu", "gru4rec"]
STUDENT_KINDS: tuple[StudentKind, ...] = get_args(StudentKind)
ItemStart = Literal["random", "cooccurrence"]
Positions = Literal["rotary", "relative", "decay", "oldest", "none"]

_CHOICES = {"item_start": ItemStart, "positions": Positions, "query_time": QueryTime}
_READ_TIMES = ("hstu",)


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Size of a student.

    Attributes
    ----------
    dim : int
        Width of item vectors and states.
    n_blocks : int
        Blocks of attention, or GRU layers.
    n_heads : int
        Attention heads (all but GRU4Rec); must divide ``dim``.
    ffn_multiplier : int, optional
        Width of a block's feed-forward net over ``dim`` (SASRec, LiGR). As in the papers where not
        given: 1 in SASRec, 4 in LiGR.
    dropout : float
    item_start : "random" or "cooccurrence"
        Where the item table starts: small random vectors, or vectors counted from the training
        histories (`cooccurrence_vectors`), which take seconds and save epochs.
    positions : "rotary", "relative", "decay", "oldest" or "none"
        How attention knows where an item stands (SASRec, LiGR); docs/students.md compares them.
        HSTU learns a bias per distance, GRU4Rec reads in order.
    query_time : "none", "last" or "known"
        What it is told of the time (HSTU): nothing, the times of the items it read, or also when
        the target happens. The last is a protocol of its own: no other model knows as much.
    item, id_dropout, delta
        What an item's vector is made of: ``ItemContent``.
    """

    dim: int = 64
    n_blocks: int = 2
    n_heads: int = 2
    ffn_multiplier: int | None = None
    dropout: float = 0.2
    item_start: ItemStart = "cooccurrence"
    positions: Positions = "rotary"
    query_time: QueryTime = "none"
    item: ItemKind = "id"
    id_dropout: float = 0.0
    delta: float = 0.0

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            require_choice(f"student.{name}", getattr(self, name), choices)
        for name in ("dim", "n_blocks", "n_heads", "ffn_multiplier"):
            value = getattr(self, name)
            if value is not None:
                require_least(f"student.{name}", value, 1)
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


@dataclass(frozen=True)
class StudentConfig(Architecture):
    """Which student, how large, and how far back it reads.

    Attributes
    ----------
    kind : "sasrec", "ligr", "hstu" or "gru4rec"
    max_length : int
        Longest history read.
    """

    kind: StudentKind = "sasrec"
    max_length: int = 200

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("student.kind", self.kind, STUDENT_KINDS)
        require_least("student.max_length", self.max_length, 1)
        if self.positions == "rotary" and self.reads_positions and self.dim // self.n_heads % 2:
            raise UserError(
                "student.positions=rotary turns pairs of coordinates, and student.dim / "
                f"student.n_heads is {self.dim // self.n_heads}: make it even, or choose relative."
            )
        if self.query_time != "none" and self.kind not in _READ_TIMES:
            raise UserError(
                f"student.query_time is {self.query_time!r}, and {self.kind} does not read the "
                f"time: take {' or '.join(_READ_TIMES)}, or set student.query_time=none."
            )

    @property
    def reads_positions(self) -> bool:
        """Whether ``positions`` says anything to a student of this kind."""
        return self.kind in ("sasrec", "ligr")
