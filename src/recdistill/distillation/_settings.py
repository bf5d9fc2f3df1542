"""What a student learns from and how, as one asks for it: the settings of a distillation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from recdistill.data import OnData
from recdistill.distillation._changes import StudentChanges
from recdistill.distillation._config import (
    DROSConfig,
    FusionConfig,
    ListwiseConfig,
    RankingConfig,
    RankingOptions,
    TermConfigs,
)
from recdistill.distillation._schedule import Annealing
from recdistill.errors import UserError, require_least
from recdistill.lessons import NO_TABLE, Control, Policy, SelectionConfig

# A term's own settings; one that is off leaves them without a meaning.
OF_TERM = {
    "listwise": {"temperature", "tail"},
    "ranking": {"n_negatives", "ranking"},
    "dros": {"dros"},
}


@dataclass(frozen=True)
class DistillSettings(StudentChanges, OnData):
    """Who teaches, and by which terms; conf/distill.yaml says what each knob does and costs."""

    baseline_run: str = "latest"
    teacher_run: str = "latest"
    transfer_run: str = ""
    ranking_weight: float = 0.0
    listwise_weight: float = 1.0
    fusion_weight: float = 0.0
    dros_weight: float = 0.0
    terms: dict[str, float] = field(default_factory=dict)
    temperature: float = 1.0
    n_negatives: int = 8
    top_k: int = 30
    tail: Literal["bucket", "empty"] = "bucket"
    selection: Policy = "all"
    budget: float = 0.5
    control: Control = "none"
    min_coverage: float = 0.5
    warm_start: bool = False
    inspect_every: int = 50
    annealing: Annealing = field(default_factory=Annealing)
    ranking: RankingOptions = field(default_factory=RankingOptions)
    dros: DROSConfig = field(default_factory=DROSConfig)
    fusion: FusionConfig = field(default_factory=FusionConfig)

    def __post_init__(self) -> None:
        StudentChanges.__post_init__(self)
        OnData.__post_init__(self)
        self.term_configs()
        self.selection_config()
        require_least("top_k", self.top_k, 1)
        self._check_control()
        if self.transfer_run:
            self._check_transfer()
        elif self.teacher_run == NO_TABLE and any(self.term_weights().values()):
            raise UserError(
                "teacher_run=none leaves nothing to learn from: name a table, or a transfer_run."
            )

    def term_configs(self) -> TermConfigs:
        """Gather every term's settings."""
        return TermConfigs(
            ranking=RankingConfig(n_negatives=self.n_negatives, **vars(self.ranking)),
            listwise=ListwiseConfig(self.temperature, self.tail),
            dros=self.dros,
        )

    def selection_config(self) -> SelectionConfig:
        """Say on which targets the student learns from its teachers."""
        return SelectionConfig(self.selection, self.budget)

    def term_weights(self) -> dict[str, float]:
        """Name the loss terms that are on, with their weights."""
        if self.control == "no_lists":
            return {}
        named = {name: getattr(self, f"{name}_weight") for name in ("ranking", "listwise", "dros")}
        return {name: weight for name, weight in (named | self.terms).items() if weight}

    def unused(self) -> set[str]:
        """Name the settings that mean nothing here; see ``runs.used_settings``."""
        on, off = self.term_weights(), set()
        if self.transfer_run:
            off |= {"teacher_run", "selection", "budget", "fusion_weight"}
        else:
            off.add("effort")
        if self.selection == "all":
            off.add("budget")
        if not self.fusion_weight:
            off.add("fusion")
        if self.control == "no_lists":
            off |= {"terms", *(f"{name}_weight" for name in OF_TERM)}
        if not self.terms:  # one of a user's own may read any of them
            off |= {name for term, own in OF_TERM.items() if term not in on for name in own}
        return super().unused() | off | (set() if on else {"annealing", "inspect_every"})

    def label(self) -> str:
        """Say what distinguishes such a run from its neighbours, in a few letters."""
        weights = {**self.term_weights()}
        if self.fusion_weight:
            weights["fusion"] = self.fusion_weight
        terms = "-".join(f"{n.split(':')[-1]}{w:g}" for n, w in weights.items()) or "zero"
        if self.transfer_run:
            terms += "-transfer"
        if self.control != "none":
            terms = self.control if self.control == "no_lists" else f"{terms}-{self.control}"
        return terms

    def _check_control(self) -> None:
        if self.control == "no_lists" and not self.transfer_run:
            raise UserError(
                "control=no_lists is the training on a transfer set's views without its lists: "
                "name a transfer_run (on the histories themselves it would be the baseline)."
            )

    def _check_transfer(self) -> None:
        """Refuse what means a place in the users' own histories, where a transfer set has views."""
        if self.teacher_run not in ("latest", NO_TABLE):
            raise UserError(
                f"transfer_run={self.transfer_run} and teacher_run={self.teacher_run} are two "
                "teachers: name one of them, or put this teacher into the transfer set."
            )
        if self.selection != "all" or self.fusion_weight:
            raise UserError(
                "selection and fusion_weight need a teacher's table: use them with teacher_run, "
                "not with transfer_run."
            )
