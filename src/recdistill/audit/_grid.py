"""The settings that every arm may choose from, on validation."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, Literal

from recdistill.errors import UserError
from recdistill.texts import EmbeddingConfig, Reduction

if TYPE_CHECKING:
    from recdistill.audit._arms import Arm
    from recdistill.students import Architecture


@dataclass(frozen=True)
class Setting:
    """One point of the grid.

    Attributes
    ----------
    dropout : float
    id_dropout, dim, reduction
        Of an arm with text: share of items whose ids are left out of a step, and the width and
        kind of the texts' vectors. Without text ``dim`` is 0.
    """

    dropout: float
    id_dropout: float = 0.0
    dim: int = 0
    reduction: Reduction = "pca"

    def applied_to(self, own: Architecture, arm: Arm) -> Architecture:
        """Return a recipe's architecture with this setting and the arm's items."""
        item: Literal["id", "id+text"] = "id+text" if arm.has_text else "id"
        return replace(own, dropout=self.dropout, id_dropout=self.id_dropout, delta=0.0, item=item)

    def words(self) -> str:
        """``dropout 0.5, id_dropout 0.3, dim 128, pca``."""
        text = f", id_dropout {self.id_dropout:g}, dim {self.dim}, {self.reduction}"
        return f"dropout {self.dropout:g}{text if self.dim else ''}"


@dataclass(frozen=True)
class Grid:
    """What is tried for every arm: all combinations; ids have the dropouts alone.

    Attributes
    ----------
    dropout : list of float
        Empty: the recipe's own.
    id_dropout : list of float
        Shares of items whose ids are left out of a step.
    dim : list of int
        Widths of the texts' vectors.
    reduction : list of "pca", "whiten" or "none"
        What becomes of them; see ``texts.EmbeddingConfig``.
    """

    dropout: list[float] = field(default_factory=lambda: [0.3, 0.5])
    id_dropout: list[float] = field(default_factory=lambda: [0.0])
    dim: list[int] = field(default_factory=lambda: [128])
    reduction: list[Reduction] = field(default_factory=lambda: ["pca"])

    def __post_init__(self) -> None:
        for name in ("dropout", "id_dropout"):
            if wrong := [value for value in getattr(self, name) if not 0 <= value < 1]:
                raise UserError(f"grid.{name} has {wrong[0]}; it must be in [0, 1).")
        for name in ("id_dropout", "dim", "reduction"):
            if not getattr(self, name):
                raise UserError(f"grid.{name} is empty; give at least one value.")
        for dim, reduction in product(self.dim, self.reduction):
            EmbeddingConfig(dim=dim, reduction=reduction)  # refuses what it cannot do

    def settings(self, arm: Arm, own: Architecture) -> list[Setting]:
        """Return what is tried for an arm, in a fixed order."""
        dropouts = self.dropout or [own.dropout]
        if not arm.has_text:
            return [Setting(dropout) for dropout in dict.fromkeys(dropouts)]
        points = product(dropouts, self.id_dropout, self.dim, self.reduction)
        return list(dict.fromkeys(Setting(*point) for point in points))

    def at_edge(self, chosen: Setting) -> list[str]:
        """Name the settings whose chosen value is the lowest or highest of three or more."""
        found = []
        for name in ("dropout", "id_dropout", "dim") if chosen.dim else ("dropout",):
            tried = sorted(set(getattr(self, name)))
            lowest = tried[:1] if tried and tried[0] > 0 else []  # nothing lies below zero
            if len(tried) > 2 and getattr(chosen, name) in (*lowest, tried[-1]):
                found.append(f"{name}={getattr(chosen, name):g}")
        return found
