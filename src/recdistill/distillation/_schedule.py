"""How a term's weight moves over a fit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from recdistill.errors import UserError

Shape = Literal["constant", "linear", "cosine"]


@dataclass(frozen=True)
class Annealing:
    """Share of a term's full weight at every moment of a fit.

    Attributes
    ----------
    shape : "constant", "linear" or "cosine"
        How the share moves from 1 to ``final`` once it is fully there.
    warmup : float
        Share of all planned steps over which the weight rises from 0: the student first learns
        which items exist, then listens to the teacher.
    final : float
        Share left at the last planned step; "constant" ignores it.
    """

    shape: Shape = "constant"
    warmup: float = 0.0
    final: float = 0.0

    def __post_init__(self) -> None:
        if self.shape not in get_args(Shape):
            raise UserError(
                f"annealing.shape is {self.shape!r}; take one of {', '.join(get_args(Shape))}."
            )
        for name in ("warmup", "final"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"annealing.{name} must be a share from 0 to 1.")

    def share(self, progress: float) -> float:
        """Return the share at ``progress`` (0 to 1) of the planned steps.

        Examples
        --------
        >>> [Annealing("linear", warmup=0.5).share(p) for p in (0.25, 0.5, 0.75, 1.0)]
        [0.5, 1.0, 0.5, 0.0]
        """
        if progress < self.warmup:
            return progress / self.warmup
        if self.shape == "constant":
            return 1.0
        fallen = min(1.0, (progress - self.warmup) / max(1e-9, 1 - self.warmup))
        if self.shape == "cosine":
            fallen = (1 - math.cos(math.pi * fallen)) / 2
        return 1.0 + fallen * (self.final - 1.0)
