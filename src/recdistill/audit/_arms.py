"""The arms of an audit: what an item's vector is made of, everything else being the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ArmKind = Literal["ids", "words", "pretrained", "random", "permuted"]

IDS = "ids"
TFIDF = "tfidf"


@dataclass(frozen=True)
class Arm:
    """One way to make an item's vector.

    Attributes
    ----------
    name : str
        Unique within an audit.
    kind : "ids", "words", "pretrained", "random" or "permuted"
        Ids alone; ids and TF-IDF; ids and a language model's vectors; the same network with random
        weights; the same vectors dealt out to other items.
    encoder : str
        As ``embed_items`` knows it; empty for ids, and for the language model of a teacher.
    teacher_run : str
        Id of the ``train_teacher`` run whose language model reads the texts.
    """

    name: str
    kind: ArmKind
    encoder: str = ""
    teacher_run: str = ""

    @property
    def has_text(self) -> bool:
        """Whether its items have text."""
        return self.kind != "ids"

    @property
    def is_drawn(self) -> bool:
        """Whether its vectors are drawn: then every training has a draw of its own."""
        return self.kind in ("random", "permuted") and not self.teacher_run

    def vectors(self, draw: int) -> dict[str, Any]:
        """Say to ``embed_items`` whose vectors they are."""
        asked: dict[str, Any] = {"seed": draw if self.is_drawn else 0}
        asked |= (
            {"teacher_run": self.teacher_run} if self.teacher_run else {"encoder": self.encoder}
        )
        if self.is_drawn:
            asked |= {"weights": "random"} if self.kind == "random" else {"permuted": True}
        return asked


def arms_of(encoders: Sequence[str], teachers: Mapping[str, tuple[str, str]]) -> tuple[Arm, ...]:
    """Return every arm: ids, TF-IDF, and for each language model it and its controls.

    Texts are permuted for the first encoder only: that control asks about the texts.

    Parameters
    ----------
    encoders : sequence of str
        As ``embed_items`` knows them.
    teachers : mapping
        Run id and ``weights`` of each teacher by its name; one trained on random weights is the
        control of the others.

    Raises
    ------
    UserError
        When there is no language model to audit, or an encoder that is none.
    """
    if not encoders and not teachers:
        raise UserError(
            "There is no language model to audit: name some in encoders, or a run of train_teacher "
            "in teacher_run."
        )
    if TFIDF in encoders:
        raise UserError("encoders has tfidf, which is an arm of every audit: name language models.")
    arms = [Arm(IDS, "ids"), Arm(TFIDF, "words", TFIDF)]
    for encoder in dict.fromkeys(encoders):
        name = encoder.rstrip("/").rsplit("/", 1)[-1]
        arms += [Arm(name, "pretrained", encoder), Arm(f"{name}-random", "random", encoder)]
        if encoder == encoders[0]:
            arms.append(Arm(f"{name}-permuted", "permuted", encoder))
    for name, (run_id, weights) in teachers.items():
        arms.append(
            Arm(name, "random" if weights == "random" else "pretrained", teacher_run=run_id)
        )
    if twice := {arm.name for arm in arms if sum(a.name == arm.name for a in arms) > 1}:
        raise UserError(f"Two language models are both called {min(twice)}: name them apart.")
    return tuple(arms)
