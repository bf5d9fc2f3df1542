"""The knobs that plan_memory and probe_memory share: train_teacher's own, and a few beside them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from recdistill.memory import MemorySettings


@dataclass(frozen=True)
class Step:
    """Alternatives to what train_teacher does, to price them."""

    attention: Literal["sdpa", "eager"] = "sdpa"
    gating: Literal["rank", "outputs"] = "rank"
    scoring: Literal["chunked", "full", "last"] = "chunked"
    vocabulary_logits: bool = False
    quant: Literal["none", "int8", "nf4"] = "none"
    n_items: int = 3706
    item_dim: int = 64
    head_dim: int = 256
    item_titles: bool = True


def settings_of(config: object, device: str, **resolved: object) -> MemorySettings:
    """Collect the memory settings from a stage's configuration; ``resolved`` values win."""
    step = getattr(config, "step", Step())
    found = {"device": device}
    for name in (field.name for field in fields(MemorySettings)):
        if name != "device":
            found[name] = getattr(config, name) if hasattr(config, name) else getattr(step, name)
    return MemorySettings(**(found | resolved))  # type: ignore[arg-type]
