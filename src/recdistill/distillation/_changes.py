"""How a distilled student is trained: like its baseline, but for what distilling asks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from recdistill.errors import UserError

if TYPE_CHECKING:
    from recdistill.data import Sequences
    from recdistill.training import StudentRecipe

_LOSS_WEIGHT_ON_VIEWS = 0.3


@dataclass(frozen=True)
class StudentChanges:
    """How a student's training differs from its baseline's; None keeps the baseline's value.

    Attributes
    ----------
    loss_weight : float, optional
        Of the baseline's own loss: 1, and 0.3 on views of the histories.
    max_epochs : int, optional
        On views: what ``effort`` makes of the baseline's.
    effort : float
        Targets trained on when training on views; the baseline's are 1.
    lr : float, optional
    dropout, label_smoothing : float, optional
        On views 0.
    """

    loss_weight: float | None = None
    max_epochs: int | None = None
    effort: float = 2.0
    lr: float | None = None
    dropout: float | None = None
    label_smoothing: float | None = None

    def __post_init__(self) -> None:
        if self.effort <= 0:
            raise UserError(f"effort is {self.effort}; it must be positive.")
        asked = {name: value for name, value in self.asked().items() if value is not None}
        if asked.get("max_epochs", 1) < 1:
            raise UserError(f"max_epochs is {self.max_epochs}; it must be at least 1.")
        if asked.get("lr", 1) <= 0:
            raise UserError(f"lr is {self.lr}; it must be positive.")
        if asked.get("loss_weight", 0) < 0:
            raise UserError(f"loss_weight is {self.loss_weight}; it must not be negative.")
        for name in ("dropout", "label_smoothing"):
            if not 0 <= asked.get(name, 0) < 1:
                raise UserError(f"{name} is {asked[name]}; it must be in [0, 1).")

    def resolved(
        self,
        baseline: StudentRecipe,
        train: Sequences,
        views: Sequences | None = None,
        *,
        with_lists: bool = True,
    ) -> StudentChanges:
        """Return the same with nothing left open.

        Views and lists regularise more than dropout and smoothed labels do, which then only
        hinder; and a student that is to match its teachers everywhere takes longer.

        Parameters
        ----------
        baseline : StudentRecipe
        train : Sequences
            What the baseline was trained on.
        views : Sequences, optional
            What the student is trained on in its place.
        with_lists : bool
            Whether there are teachers' lists; on views alone it needs the baseline's own
            regularisation, and its own loss alone.
        """
        like = StudentChanges(
            loss_weight=1.0,
            max_epochs=baseline.loop.max_epochs,
            lr=baseline.loop.optimizer.lr,
            dropout=baseline.architecture.dropout,
            label_smoothing=baseline.loss.label_smoothing,
        )
        if views is not None:
            share = len(train.items) / max(len(views.items), 1)
            n_epochs = max(1, round(self.effort * baseline.loop.max_epochs * share))
            like = replace(like, max_epochs=n_epochs)
        if views is not None and with_lists:
            like = replace(
                like,
                loss_weight=_LOSS_WEIGHT_ON_VIEWS,
                dropout=0.0,
                label_smoothing=0.0,
            )
        asked = {name: value for name, value in self.asked().items() if value is not None}
        return replace(like, effort=self.effort, **asked)

    def asked(self) -> dict[str, Any]:
        """Return what each change is set to, by name; None where it is left open."""
        return {name: getattr(self, name) for name in CHANGED}

    def applied_to(self, baseline: StudentRecipe) -> StudentRecipe:
        """Return the baseline's recipe with these changes; what is None stays."""
        architecture, loss, loop = baseline.architecture, baseline.loss, baseline.loop
        if self.dropout is not None:
            architecture = replace(architecture, dropout=self.dropout)
        if self.label_smoothing is not None:
            loss = replace(loss, label_smoothing=self.label_smoothing)
        if self.max_epochs is not None:
            loop = replace(loop, max_epochs=self.max_epochs)
        if self.lr is not None:
            loop = replace(loop, optimizer=replace(loop.optimizer, lr=self.lr))
        return replace(baseline, architecture=architecture, loss=loss, loop=loop)


CHANGED = ("loss_weight", "max_epochs", "lr", "dropout", "label_smoothing")
