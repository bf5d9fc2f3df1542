"""The swept stage as a study knows it: its settings and its search space, in their own types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recdistill.config import parse, stage_module
from recdistill.runs import code_digest
from recdistill.sweeps._read_space import build_space
from recdistill.sweeps._settings import setting_types

if TYPE_CHECKING:
    from recdistill.sweeps._space import Space
    from recdistill.sweeps._study import StudySpec


def stage_settings(spec: StudySpec) -> Any:
    """Read a study's settings of its stage back into their own type."""
    return parse(stage_module(spec.stage).Config, spec.stage, [], spec.settings)


def trial_code(stage: str) -> str:
    """Return the digest of all that a sweep's trials of a stage run."""
    return f"{code_digest('sweep')}-{code_digest(stage)}"


def space_of(spec: StudySpec) -> Space:
    """Read a study's search space back."""
    types = setting_types(stage_module(spec.stage).Config)
    return build_space(spec.space, types, spec.stage)
