"""What one recipe has over another, in one line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recdistill import evaluation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recdistill.evaluation import RecipeTest
    from recdistill.runs import RunReference

_LEVEL = 0.05


@dataclass(frozen=True)
class Difference:
    """A test of two recipes' NDCG@10, over users and trainings; ``other`` is what it is beside."""

    other: str
    found: RecipeTest

    def words(self) -> str:
        """Say which is better, by how much, how surely."""
        one = self.found
        said = "beats" if one.delta > 0 else "is worse than"
        if one.p >= _LEVEL:
            said = "does not differ significantly from"
        return (
            f"{f'{said} {self.other}':<62} {one.delta:+.4f} [{one.low:+.4f}, {one.high:+.4f}]"
            f"  p {one.p:.3f}"
        )

    def as_plain(self) -> dict[str, Any]:
        """Return what a table needs, as plain values."""
        one = self.found
        return {
            "against": self.other,
            "delta": one.delta,
            "low": one.low,
            "high": one.high,
            "p": one.p,
            "n_users": one.n_users,
            "n_trainings": [one.n_seeds_a, one.n_seeds_b],
        }


def recipe_difference(
    runs: Sequence[RunReference], other: str, others: Sequence[RunReference], *, drawn: bool = True
) -> Difference:
    """Test the trainings of a recipe against those of another.

    Parameters
    ----------
    drawn : bool
        False for others without chance in them, as a counting floor: one training is all there is.
    """
    a, b = (
        evaluation.boil_down(
            np.stack(
                [evaluation.load_evaluation(r.artifact("evaluation")).outcome("ndcg") for r in side]
            )
        )
        for side in (runs, others)
    )
    noise = None if drawn else evaluation.NOTHING_DRAWN
    return Difference(other, evaluation.compare_recipes(a, b, noise_b=noise))
