"""All settings of one student's training together."""

from __future__ import annotations

from dataclasses import dataclass, field

from recdistill.students import StudentConfig
from recdistill.training._config import FitConfig, LossConfig


@dataclass(frozen=True)
class StudentRecipe:
    """All that decides a student's training but the data and the seed."""

    architecture: StudentConfig = field(default_factory=StudentConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    loop: FitConfig = field(default_factory=FitConfig)
