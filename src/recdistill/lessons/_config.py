"""Which teachers, targets, views and controls: settings, read without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from recdistill.errors import UserError, require_choice, require_least

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recdistill.data import PreparedData

MODEL_STAGES = ("train_baseline", "train_teacher", "distill", "update")
"""Stages whose runs hold a model that can teach."""

NO_TABLE = "none"
"""Written for ``teacher_run``, it leaves the teacher out."""

WeighBy = Literal["likelihood", "ndcg"]
Policy = Literal["all", "random", "uncertain", "disagreement"]
Control = Literal["none", "no_lists", "random_lists", "permuted_lists", "random_teacher"]

CONTROLS: dict[Control, str] = {
    "no_lists": "the transfer set's views without the teachers' lists",
    "random_lists": "every list holds items drawn at random, with the teachers' probabilities",
    "permuted_lists": "the teachers' lists are dealt out to other positions",
    "random_teacher": "the lists are those of a network that was never trained",
}


@dataclass(frozen=True)
class SelectionConfig:
    """Which of the targets with a teacher's list the terms may use.

    Attributes
    ----------
    policy : "all", "random", "uncertain" or "disagreement"
        ``uncertain``: where the baseline gives the true item the least probability.
        ``disagreement``: where the teacher's list and the baseline's share the fewest items.
    budget : float
        Share of the targets with a list to keep; "all" ignores it.
    """

    policy: Policy = "all"
    budget: float = 0.5

    @property
    def asks_baseline(self) -> bool:
        """Whether the policy compares with what a trained baseline says."""
        return self.policy in ("uncertain", "disagreement")

    def __post_init__(self) -> None:
        require_choice("selection", self.policy, Policy)
        if not 0 < self.budget <= 1:
            raise UserError(f"budget is {self.budget}; it must be above 0 and at most 1.")


@dataclass(frozen=True)
class Selection:
    """Which training positions a table holds.

    Attributes
    ----------
    kind : {"all", "newest", "share"}
        All, the newest ``amount`` of every user, or a seeded random share of all.
    """

    kind: Literal["all", "newest", "share"] = "all"
    amount: float = 0

    @classmethod
    def parse(cls, text: str) -> Selection:
        """Read ``all``, ``newest:20`` or ``share:0.5``.

        Raises
        ------
        UserError
        """
        if text == "all":
            return cls()
        kind, _, amount = text.partition(":")
        try:
            value = float(amount)
        except ValueError:
            value = -1.0
        if kind == "newest" and value >= 1:
            return cls("newest", value)
        if kind == "share" and 0 < value <= 1:
            return cls("share", value)
        raise UserError(
            f"select={text} is not understood: use all, newest:20 (positions per user) or "
            "share:0.5 (of all positions)."
        )

    def keep(
        self, data: PreparedData, users: NDArray[np.int64], positions: NDArray[np.int64], seed: int
    ) -> NDArray[np.bool_]:
        """Say which of these positions to keep; the same ones whatever order they come in."""
        keep = positions > 0  # before the first item there is nothing to score from
        if self.kind == "newest":
            keep &= positions >= data.train.lengths[users] - int(self.amount)
        elif self.kind == "share":
            drawn = np.random.default_rng(seed).random(len(data.train.items))
            keep &= drawn[data.train.offsets[users] + positions] < self.amount
        return keep


@dataclass(frozen=True)
class ViewsConfig:
    """How views are drawn.

    Attributes
    ----------
    n_views : int
        Per user, the first being the history as it is.
    crop : float
        Chance that a view is a stretch of the history, and not all of it.
    shortest_crop : float
        Smallest share of the history that a stretch keeps; the share is drawn evenly up to 1.
    drop : float
        Largest share of its items that a view leaves out; the share is drawn evenly from 0.
    """

    n_views: int = 12
    crop: float = 0.5
    shortest_crop: float = 0.3
    drop: float = 0.5

    def __post_init__(self) -> None:
        require_least("n_views", self.n_views, 1)
        for name in ("crop", "shortest_crop", "drop"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"{name} is {getattr(self, name)}; it must lie between 0 and 1.")
