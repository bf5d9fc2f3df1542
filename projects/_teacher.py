"""The teacher's knobs, shared by the stages that train one, plan one and probe one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import torch

from recdistill.errors import UserError
from recdistill.memory import MemorySettings
from recdistill.teachers import (
    AdapterKind,
    AdapterSettings,
    Precision,
    Prompt,
    RouterKind,
    Weights,
    resolve_precision,
)

if TYPE_CHECKING:
    Format = Literal["fp32", "bf16", "fp16"]

FORMATS: dict[str, Format] = {"32-true": "fp32", "bf16-mixed": "bf16", "16-mixed": "fp16"}


@dataclass(frozen=True)
class Lora:
    """The adapter's own knobs; ``AdapterSettings`` says what each does."""

    alpha: float = 32.0
    dropout: float = 0.1
    router: RouterKind = "linear"


@dataclass(frozen=True)
class Head:
    """The scoring head; ``TeacherSettings`` says what each does."""

    dim: int = 256
    dropout: float = 0.4
    free_items: bool = True
    residual: bool = False


@dataclass(frozen=True)
class TeacherKnobs:
    """What makes a teacher and decides its size; conf/train_teacher.yaml says what each costs."""

    llm: str = "smollm2-135m"
    llm_layers: int = 2
    prompt: Prompt = "compact"
    mode: Literal["rank", "generate"] = "rank"
    adapter: AdapterKind = "ilora"
    lora_r: int = 8
    n_experts: int = 4
    target_modules: str = "all-linear"
    weights: Weights = "pretrained"
    train_backbone: bool = False
    precision: Precision = "auto"
    checkpointing: bool = False
    lora: Lora = field(default_factory=Lora)
    head: Head = field(default_factory=Head)

    def __post_init__(self) -> None:
        self.adapter_settings()

    def adapter_settings(self) -> AdapterSettings:
        """Assemble the adapter from its main parameters and its options."""
        return AdapterSettings(
            kind=self.adapter,
            r=self.lora_r,
            n_experts=self.n_experts,
            alpha=self.lora.alpha,
            dropout=self.lora.dropout,
            target_modules=self.target_modules,
            router=self.lora.router,
        )

    def memory_settings(self, device: Literal["cuda", "cpu"], **others: Any) -> MemorySettings:
        """Describe one training step to the memory planner.

        Parameters
        ----------
        device
            Where the step will run. ``precision=auto`` is resolved for it; a GPU that is not here
            is taken to have bfloat16.
        others
            Further fields of ``MemorySettings``: rows, length, catalog.

        Raises
        ------
        UserError
            Without a language model there is nothing to plan.
        """
        if self.adapter == "head":
            raise UserError("adapter=head has no language model: its memory needs no plan.")
        precision: str = self.precision
        if precision == "auto" and device == "cuda" and not torch.cuda.is_available():
            precision = "bf16-mixed"
        elif precision == "auto":
            precision = resolve_precision("auto", device)[0]
        return MemorySettings(
            llm=self.llm,
            llm_layers=self.llm_layers,
            prompt=self.prompt,
            mode=self.mode,
            adapter=self.adapter,
            lora_r=self.lora_r,
            n_experts=self.n_experts,
            target_modules=self.target_modules,
            lora_dropout=self.lora.dropout,
            head_dim=self.head.dim,
            train_backbone=self.train_backbone,
            precision=FORMATS[precision],
            checkpointing=self.checkpointing,
            device=device,
            **others,
        )
