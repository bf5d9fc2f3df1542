"""All settings of one student's training together."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from recdistill.students import Architecture, StudentConfig
from recdistill.training._config import FitConfig, LossConfig, LossOptions


@dataclass(frozen=True)
class StudentRecipe:
    """All that decides a student's training but the data and the seed."""

    architecture: StudentConfig = field(default_factory=StudentConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    loop: FitConfig = field(default_factory=FitConfig)

    def settings(self) -> dict[str, Any]:
        """Return it as the settings of a stage that trains a student, but for the kind.

        Plain values, as ``StudentTraining`` groups them; its ``recipe`` is the way back.
        """

        def group(of: StudentConfig | LossConfig, kind: type) -> dict[str, Any]:
            return {f.name: getattr(of, f.name) for f in fields(kind)}

        return {
            **asdict(self.loop),
            "loss": self.loss.kind,
            "n_negatives": self.loss.n_negatives,
            "loss_options": group(self.loss, LossOptions),
            "max_length": self.architecture.max_length,
            "student": group(self.architecture, Architecture),
        }
