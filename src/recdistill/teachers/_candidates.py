"""The papers' small protocol: pick the target out of twenty candidates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recdistill.errors import UserError
from recdistill.evaluation import hits_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from recdistill.data import Sequences


def draw_candidates(
    histories: Sequences,
    targets: NDArray[np.int32],
    n_items: int,
    *,
    n_candidates: int = 20,
    seed: int = 0,
) -> NDArray[np.int32]:
    """Draw each case's candidates: its target and items outside its history, shuffled.

    LLaRA and iLoRA draw anew at every access, in the evaluation too. Here a case's candidates
    depend on the seed and the case's place alone, so every model and every epoch of evaluation
    faces the same ones.

    Returns
    -------
    int32 array, shape [n_cases, n_candidates]

    Raises
    ------
    UserError
        When the catalog is too small.
    """
    longest = int(histories.lengths.max(initial=0))
    if n_items < n_candidates + longest:
        raise UserError(
            f"{n_candidates} candidates outside a history of {longest} items cannot be drawn from "
            f"a catalog of {n_items}: lower n_candidates."
        )
    out = np.empty((len(targets), n_candidates), np.int32)
    for row, target in enumerate(targets.tolist()):
        generator = np.random.default_rng((seed, row))
        taken = {*histories.row(row).tolist(), target}
        # A few more than needed nearly always suffice; the loop covers the rest.
        others: list[int] = []
        while len(others) < n_candidates - 1:
            item = int(generator.integers(1, n_items + 1))
            if item not in taken:
                taken.add(item)
                others.append(item)
        out[row] = generator.permutation([target, *others])
    return out


@dataclass(frozen=True)
class Choices:
    """What a model picked, case by case.

    Attributes
    ----------
    picked : int32 array, shape [n_cases]
        The item that was named, 0 where the answer names none or several of the candidates.
    targets : int32 array, shape [n_cases]
    """

    picked: NDArray[np.int32]
    targets: NDArray[np.int32]

    def metrics(self) -> dict[str, float]:
        """HR@1 over all cases and over the valid ones, and the share of valid ones.

        The papers print HR@1 over valid answers beside the share of valid answers; their product
        is HR@1 over all. Each comes with its 95% Clopper-Pearson bounds.
        """
        n, n_valid = len(self.picked), int((self.picked > 0).sum())
        n_hits = int((self.picked == self.targets).sum())
        out: dict[str, float] = {"n_cases": n, "n_valid": n_valid, "n_hits": n_hits}
        for name, hits, of in (
            ("hr_at_1_all", n_hits, n),
            ("hr_at_1_valid", n_hits, n_valid),
            ("valid_ratio", n_valid, n),
        ):
            low, high = hits_interval(hits, of) if of else (0.0, 1.0)
            out |= {name: hits / max(of, 1), f"{name}_low": low, f"{name}_high": high}
        return out


def read_answer(answer: str, candidates: Sequence[int], titles: Sequence[str]) -> int:
    """Find which candidate a written answer names, by the papers' rule.

    The answer is valid if exactly one candidate's title occurs in it, upper and lower case alike.
    A title that is part of another one (``Yes`` in ``Yesterday``) would make a right answer
    invalid, so titles inside a longer title that occurs are not counted.

    Parameters
    ----------
    titles : sequence of str
        Title of each candidate.

    Returns
    -------
    int
        The candidate's item id, or 0.
    """
    text = answer.lower()
    found = [
        (title.lower().strip(), item)
        for item, title in zip(candidates, titles, strict=True)
        if title.strip() and title.lower().strip() in text
    ]
    longest = [
        (title, item)
        for title, item in found
        if not any(title != other and title in other for other, _ in found)
    ]
    return longest[0][1] if len(longest) == 1 else 0
