"""One training step of a teacher as a user describes it to planner and probe."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from recdistill.config import main_fields
from recdistill.teachers._config import TeacherConfig

if TYPE_CHECKING:
    from recdistill.memory import MemorySettings


@dataclass(frozen=True)
class StepAlternatives:
    """Alternatives to what train_teacher does, to price them; see ``MemorySettings``."""

    attention: Literal["sdpa", "eager"] = "sdpa"
    gating: Literal["rank", "outputs"] = "rank"
    scoring: Literal["chunked", "full", "last"] = "chunked"
    vocabulary_logits: bool = False
    quant: Literal["none", "int8", "nf4"] = "none"
    n_items: int = 3706
    item_dim: int = 64
    item_titles: bool = True


@main_fields("batch", "length")
@dataclass(frozen=True)
class StepConfig(TeacherConfig):
    """Base of a stage's settings: ``batch`` rows of ``length`` tokens."""

    optimizer: Literal["adamw", "sgd"] = "adamw"
    resize_vocabulary: Literal["none", "frozen", "trainable"] = "none"
    batch: int = 8
    length: int = 128
    seed: int = 0
    preset: str = "full"
    use_cache: bool = True
    step: StepAlternatives = field(default_factory=StepAlternatives)

    def settings(self, device: Literal["cuda", "cpu"]) -> MemorySettings:
        """Describe the step to planner and probe."""
        own: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("optimizer", "resize_vocabulary", "batch", "length")
        }
        return self.memory_settings(device, **own, **vars(self.step))
