"""Into how many pieces a training step must be cut to fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recdistill.errors import UserError
from recdistill.memory._plan import MemoryPlan, plan
from recdistill.memory._search import refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from recdistill.memory._search import PlanFunction
    from recdistill.memory._settings import MemorySettings

    Measure = Callable[[MemorySettings], int]


class DoesNotFitError(UserError):
    """Not even one row of a step fits; ``plan`` says where the memory would go."""

    def __init__(self, sentence: str, plan: MemoryPlan) -> None:
        super().__init__(sentence)
        self.plan = plan


@dataclass(frozen=True)
class Cut:
    """A training step that fits.

    Attributes
    ----------
    n_pieces : int
        Forward and backward passes of one optimizer step; a power of two.
    plan : MemoryPlan
        Of the largest piece: ``plan.settings.batch`` rows of ``plan.settings.length`` tokens.
    measured_bytes : int
        What the probe measured for it; 0 where none was asked.
    """

    n_pieces: int
    plan: MemoryPlan
    measured_bytes: int = 0


def cut_to_fit(
    settings: MemorySettings,
    shapes: Sequence[tuple[int, int]],
    budget_bytes: int,
    *,
    measure: Measure | None = None,
    always_measure: bool = False,
    nearest: Sequence[tuple[str, MemorySettings]] = (),
    plan_function: PlanFunction = plan,
) -> Cut:
    """Find the fewest pieces, doubling, in which every step of a training fits a budget.

    Where the plan cannot tell because the budget lies within its own error, ``measure`` decides;
    without it the step is cut once more, and a single row is let through.

    Parameters
    ----------
    settings : MemorySettings
        ``batch`` and ``length`` are put in.
    shapes : sequence of (rows, tokens of the longest row)
        Every batch of the training.
    budget_bytes : int
    measure : callable, optional
        Runs one step of some settings and returns its bytes.
    always_measure : bool
        Also where the plan is sure that the step fits.
    nearest : sequence of (words, settings)
        What the refusal may recommend; ``batch`` is put in as one row.

    Raises
    ------
    DoesNotFitError
        When not even one row fits: what it needs, what there is, the nearest setting that fits.
    """
    n_pieces = 1
    while True:
        rows, length = _largest_piece(shapes, n_pieces)
        planned = plan_function(settings.but(batch=rows, length=length))
        verdict = planned.verdict(budget_bytes)
        measured = 0
        if measure is not None and (verdict == "unsure" or (verdict == "fits" and always_measure)):
            measured = measure(planned.settings)
            verdict = "fits" if measured <= budget_bytes else "too large"
        if verdict == "fits" or (verdict == "unsure" and rows == 1):
            return Cut(n_pieces, planned, measured)
        if rows == 1:
            tries = [(words, s.but(batch=1)) for words, s in nearest]
            raise DoesNotFitError(refusal(planned, budget_bytes, plan_function, tries), planned)
        n_pieces *= 2


def _largest_piece(shapes: Sequence[tuple[int, int]], n_pieces: int) -> tuple[int, int]:
    """Rows and length of the piece with most tokens; of equals the one with the longest rows."""
    pieces = ((-(-rows // n_pieces), length) for rows, length in shapes)
    return max(pieces, key=lambda piece: (piece[0] * piece[1], piece[1]))
