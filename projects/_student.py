"""The student's knobs, shared by the stages that train one (train_baseline, distill)."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from recdistill.data import OnData
from recdistill.students import ItemKind, ItemStart, Positions, StudentConfig, StudentKind
from recdistill.training import FitConfig, LossConfig, LossKind, StudentRecipe


@dataclass(frozen=True)
class Architecture:
    """Size of the student; ``StudentConfig`` says what each does."""

    dim: int = 64
    n_blocks: int = 2
    n_heads: int = 2
    ffn_multiplier: int | None = None
    dropout: float = 0.2
    item_start: ItemStart = "cooccurrence"
    positions: Positions = "rotary"
    item: ItemKind = "id"
    id_dropout: float = 0.0
    delta: float = 0.0


@dataclass(frozen=True)
class LossOptions:
    """What one loss alone asks; ``LossConfig`` says what each does."""

    gbce_t: float = 0.75
    sampling_power: float = 0.5
    label_smoothing: float = 0.0


@dataclass(frozen=True)
class StudentTraining(FitConfig, OnData):
    """On which data, which student, to which loss, and the loop's knobs (``FitConfig``)."""

    loss: LossKind = "softmax"
    n_negatives: int = 256
    max_length: int = 200
    student: Architecture = field(default_factory=Architecture)
    loss_options: LossOptions = field(default_factory=LossOptions)

    def __post_init__(self) -> None:
        FitConfig.__post_init__(self)
        OnData.__post_init__(self)
        self.loss_config()

    def fit_config(self) -> FitConfig:
        """Pick the loop's settings from this stage's."""
        return FitConfig(**{f.name: getattr(self, f.name) for f in fields(FitConfig)})

    def loss_config(self) -> LossConfig:
        """Assemble the loss from its main parameters and its options."""
        return LossConfig(self.loss, self.n_negatives, **vars(self.loss_options))

    def student_config(self, kind: StudentKind) -> StudentConfig:
        """Assemble the architecture of a student of ``kind``."""
        return StudentConfig(kind=kind, max_length=self.max_length, **vars(self.student))

    def recipe(self, kind: StudentKind) -> StudentRecipe:
        """Everything that decides the training of a student of ``kind`` but data and seed."""
        return StudentRecipe(self.student_config(kind), self.loss_config(), self.fit_config())
