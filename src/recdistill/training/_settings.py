"""Everything that a stage asks of its user about the training of a student."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from recdistill.data import OnData
from recdistill.students import Architecture, StudentConfig, StudentKind
from recdistill.training._config import FitConfig, LossConfig, LossKind, LossOptions
from recdistill.training._recipe import StudentRecipe


@dataclass(frozen=True)
class StudentTraining(FitConfig, OnData):
    """On which data, which student, to which loss, and the loop's settings (``FitConfig``)."""

    loss: LossKind = "softmax"
    n_negatives: int = 256
    max_length: int = 200
    student: Architecture = field(default_factory=Architecture)
    loss_options: LossOptions = field(default_factory=LossOptions)

    def __post_init__(self) -> None:
        FitConfig.__post_init__(self)
        OnData.__post_init__(self)
        self._loss()

    def recipe(self, kind: StudentKind) -> StudentRecipe:
        """Return all that decides the training of a student of ``kind`` but data and seed."""
        loop = {f.name: getattr(self, f.name) for f in fields(FitConfig)}
        architecture = StudentConfig(kind=kind, max_length=self.max_length, **vars(self.student))
        return StudentRecipe(architecture, self._loss(), FitConfig(**loop))

    def _loss(self) -> LossConfig:
        return LossConfig(self.loss, self.n_negatives, **vars(self.loss_options))
