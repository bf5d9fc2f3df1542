"""What an audit found, as plain facts."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

    from recdistill.audit._arms import Arm
    from recdistill.audit._grid import Setting
    from recdistill.evaluation import RecipeTest

LEVEL = 0.05

Question = Literal["texts", "pretraining", "whose text"]


@dataclass(frozen=True)
class ArmResult:
    """An arm with its chosen setting, trained several times.

    Attributes
    ----------
    arm : Arm
    setting : Setting
        Chosen on validation.
    n_tried : int
        Settings it was chosen among.
    at_edge : list of str
        Settings whose choice stands at the edge of what was tried.
    val_ndcg : float
        NDCG@10 on validation, mean over trainings.
    targets_per_cpu_second : float
        Speed of training, median over epochs, mean over trainings.
    run_ids : list of str
        One per training.
    tables : tuple of DataFrame
        ``Evaluation.per_user`` of the test part, one per training.
    """

    arm: Arm
    setting: Setting
    n_tried: int
    at_edge: list[str]
    val_ndcg: float
    targets_per_cpu_second: float
    run_ids: list[str]
    tables: tuple[pd.DataFrame, ...] = field(repr=False)


@dataclass(frozen=True)
class StratumGain:
    """A difference among the cases whose target training saw so often.

    Attributes
    ----------
    stratum : one of ``data.STRATA``
    n_cases : int
    value, against : NDCG@10 of both arms
    delta, low, high : their difference with its 95 % interval over users and trainings
    """

    stratum: str
    n_cases: int
    value: float
    against: float
    delta: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """NDCG@10 of one arm less that of another, on the test part.

    Attributes
    ----------
    question : what the difference answers
    of, against : names of the arms
    value, against_value : float
    over_users, over_items : RecipeTest
        Over users and trainings; over target items and trainings.
    p, p_adjusted : float
        The larger of both tests' p, and that after Holm over all of an audit's differences.
    n_seeds_needed : float
        Trainings a side that would show a difference of this size with 80 % power; infinite where
        no reasonable number would.
    strata : tuple of StratumGain
    """

    question: Question
    of: str
    against: str
    value: float
    against_value: float
    over_users: RecipeTest
    over_items: RecipeTest
    p: float
    p_adjusted: float
    n_seeds_needed: float
    strata: tuple[StratumGain, ...]

    @property
    def delta(self) -> float:
        """``value - against_value``."""
        return self.over_users.delta

    @property
    def is_shown(self) -> bool:
        """Whether it is more than chance, over users and over items."""
        return self.p_adjusted < LEVEL


@dataclass(frozen=True)
class LanguageAudit:
    """Everything that an audit found.

    Attributes
    ----------
    about : data set, model and preset, as words by name
    arms : tuple of ArmResult
        The first is ids alone.
    differences : tuple of Difference
    best_text : str
        The arm with text that is best on validation, controls left out.
    n_cases, n_targets : test cases, and the items that are their targets
    n_looks : models that ever met this test part
    """

    about: dict[str, str]
    arms: tuple[ArmResult, ...]
    differences: tuple[Difference, ...]
    best_text: str
    n_cases: int
    n_targets: int
    n_looks: int = 0

    def result(self, name: str) -> ArmResult:
        """Find an arm's result."""
        return next(one for one in self.arms if one.arm.name == name)

    def cost(self, name: str) -> float:
        """CPU seconds that an arm's training takes per target, over those of ids."""
        return self.arms[0].targets_per_cpu_second / self.result(name).targets_per_cpu_second

    def answers(self, question: Question, of: str = "") -> list[Difference]:
        """Find the differences that answer a question, of one arm or of all."""
        return [d for d in self.differences if d.question == question and of in ("", d.of)]

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values, the users' ranks left out."""
        plain = {name: value for name, value in vars(self).items() if name != "arms"}
        plain["differences"] = [_finite(asdict(d) | {"delta": d.delta}) for d in self.differences]
        plain["arms"] = [
            {name: value for name, value in vars(one).items() if name != "tables"}
            | {"arm": asdict(one.arm), "setting": asdict(one.setting)}
            | {"cost": self.cost(one.arm.name)}
            for one in self.arms
        ]
        return plain


def _finite(value: Any) -> Any:
    """Put null in the place of what JSON has no number for, as degrees of freedom without end."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
