"""What decides the memory of a teacher's training step, under ``train_teacher``'s own names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

from recdistill.errors import UserError

_COUNTS = ("lora_r", "n_experts", "batch", "length", "n_items", "item_dim", "head_dim")


@dataclass(frozen=True)
class MemorySettings:
    """One training step of a teacher, seen from its memory.

    The first block carries the names and defaults of ``train_teacher``. ``batch`` is the
    micro-batch, the rows of one forward pass; ``length`` the tokens of the longest row. ``device``
    is where the step will run, which need not be where the plan is made. ``copies`` counts the
    copies of all trainable weights that stay between steps (a running average, the best so far).

    The second block are alternatives worth pricing: attention that keeps the whole matrix of
    weights (``eager``), experts mixed after their outputs instead of at rank r (``outputs``, the
    form of the published code), item scores of all positions held at once (``full``) or of the last
    position only (``last``), token logits computed though nothing reads them
    (``vocabulary_logits``), a vocabulary resized after the base was frozen (``trainable``).
    """

    llm: str = "smollm2-135m"
    llm_layers: int = 0
    prompt: Literal["compact", "hybrid"] = "compact"
    mode: Literal["rank", "generate"] = "rank"
    adapter: Literal["ilora", "lora", "none"] = "ilora"
    lora_r: int = 8
    n_experts: int = 4
    target_modules: str = "all-linear"
    train_backbone: bool = False
    precision: Literal["bf16", "fp16", "fp32"] = "bf16"
    checkpointing: bool = False
    batch: int = 8
    optimizer: Literal["adamw", "sgd"] = "adamw"
    lora_dropout: float = 0.1

    length: int = 128
    copies: int = 0
    n_items: int = 3706
    item_dim: int = 64
    head_dim: int = 256
    item_titles: bool = True
    attention: Literal["sdpa", "eager"] = "sdpa"
    gating: Literal["rank", "outputs"] = "rank"
    scoring: Literal["chunked", "full", "last"] = "chunked"
    vocabulary_logits: bool = False
    resize_vocabulary: Literal["none", "frozen", "trainable"] = "none"
    quant: Literal["none", "int8", "nf4"] = "none"
    device: Literal["cuda", "cpu"] = "cuda"

    def __post_init__(self) -> None:
        for name in _COUNTS:
            if getattr(self, name) < 1:
                raise UserError(f"{name}={getattr(self, name)} must be at least 1.")
        for name, hint in get_type_hints(type(self)).items():
            allowed = get_args(hint) if get_origin(hint) is Literal else ()
            if allowed and getattr(self, name) not in allowed:
                raise UserError(
                    f"{name}={getattr(self, name)!r} is not one of {', '.join(map(str, allowed))}."
                )
        if self.adapter == "ilora" and self.lora_r % self.n_experts:
            raise UserError(
                f"lora_r={self.lora_r} cannot be shared by n_experts={self.n_experts}: every "
                "expert gets lora_r / n_experts ranks; choose a multiple."
            )
        if self.quant != "none" and self.train_backbone:
            raise UserError("quant needs a frozen base: a quantised base cannot itself be trained.")
        if self.copies < 0:
            raise UserError(f"copies={self.copies} must not be negative.")
        if not 0.0 <= self.lora_dropout < 1.0:
            raise UserError(f"lora_dropout={self.lora_dropout} must lie in [0, 1).")

    @property
    def modules(self) -> str | list[str]:
        """Which linear layers are adapted, as PEFT wants it."""
        if self.target_modules == "all-linear":
            return self.target_modules
        return [name.strip() for name in self.target_modules.split(",") if name.strip()]

    def but(self, **changes: Any) -> MemorySettings:
        """Equal settings except for the changes."""
        return replace(self, **changes)
