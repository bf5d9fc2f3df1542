"""What an item's vector is made of, as a setting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from recdistill.errors import UserError, require_choice

ItemKind = Literal["id", "text", "id+text"]


@dataclass(frozen=True)
class ItemContent:
    """What makes up an item's vector.

    Attributes
    ----------
    kind : "id", "text" or "id+text"
        Vector = own numbers; ``W x text``; or the sum of both. ``W`` is trained, the texts'
        vectors stay as they are.
    id_dropout : float
        ``id+text``: share of items whose own numbers are left out of a training step, so that the
        text learns to stand alone (after DropoutNet, Volkovs et al. 2017).
    delta : float
        ``text``: how far an item may move from what its text says, as a share of the length of
        its text's part; 0 not at all (after "Let It Go", RecSys 2025, where the bound is absolute).
    """

    kind: ItemKind = "id"
    id_dropout: float = 0.0
    delta: float = 0.0

    def __post_init__(self) -> None:
        require_choice("student.item", self.kind, ItemKind)
        if not 0 <= self.id_dropout < 1:
            raise UserError(f"student.id_dropout is {self.id_dropout}; it must be in [0, 1).")
        if self.delta < 0:
            raise UserError(f"student.delta is {self.delta}; it must not be negative.")
        if self.id_dropout and self.kind != "id+text":
            raise UserError(
                f"student.id_dropout is for student.item=id+text, and student.item is {self.kind}."
            )
        if self.delta and self.kind != "text":
            raise UserError(
                f"student.delta is for student.item=text, and student.item is {self.kind}."
            )
