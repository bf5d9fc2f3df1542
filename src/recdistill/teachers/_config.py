"""Which language model, how it is adapted and computed: what a user says of a teacher.

Base of the stages that train a teacher, plan its memory and probe it: read without torch, which
its methods import.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from recdistill.config import main_fields
from recdistill.errors import UserError
from recdistill.memory import MemorySettings
from recdistill.teachers._settings import TeacherShape, Weights
from recdistill.teachers._training_settings import Precision  # noqa: TC001 - read by the parser

if TYPE_CHECKING:
    from recdistill.teachers._llm import LLM

    Format = Literal["fp32", "bf16", "fp16"]

_FORMATS: dict[str, Format] = {"32-true": "fp32", "bf16-mixed": "bf16", "16-mixed": "fp16"}


@main_fields(
    "llm", "llm_layers", "prompt", "mode", "adapter", "lora_r", "n_experts", "target_modules",
    "precision", "checkpointing",
)  # fmt: skip
@dataclass(frozen=True)
class TeacherConfig(TeacherShape):
    """A teacher and the number format it computes in; conf/train_teacher.yaml says the costs.

    Attributes
    ----------
    llm : str
        See :func:`load_llm`.
    llm_layers : int
        First layers kept; 0 keeps all. Two are what a CPU trains in minutes.
    weights : {"pretrained", "random"}
    precision, checkpointing
        See :class:`TrainingSettings`.
    """

    llm: str = "smollm2-135m"
    llm_layers: int = 2
    weights: Weights = "pretrained"
    precision: Precision = "auto"
    checkpointing: bool = False

    def without_meaning(self) -> set[str]:
        """Name the settings of a training that change nothing for this mode and adapter."""
        off = set() if self.mode == "generate" else {"generate"}
        if self.adapter in ("head", "none"):
            off |= {"lora_r", "n_experts", "target_modules", "lora", "optimizer.router_lr"}
        if self.adapter == "head":
            off |= {"llm", "llm_layers", "weights", "train_backbone"}
        if self.adapter == "lora":
            off |= {"n_experts", "lora.router", "optimizer.router_lr"}
        return off

    def label(self) -> str:
        """Say what distinguishes this teacher, in the few letters the UI shows."""
        if self.adapter == "head":
            return "head"
        if self.mode == "generate":
            return f"{self.adapter}-generate{self.llm_layers or ''}"
        random = "-random" if self.weights == "random" else ""
        return f"{self.adapter}{random}-{self.prompt}{self.llm_layers or ''}"

    def load_llm(self, seed: int) -> LLM | None:
        """Load the language model in the format the device computes in; None for ``head``."""
        if self.adapter == "head":
            return None
        import torch

        from recdistill.teachers._llm import load_llm
        from recdistill.teachers._precision import resolve_precision

        _, dtype = resolve_precision(self.precision)
        return load_llm(
            self.llm,
            n_layers=self.llm_layers,
            weights=self.weights,
            seed=seed,
            dtype=torch.float32 if self.train_backbone else dtype,
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
        import torch

        from recdistill.teachers._precision import resolve_precision

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
            precision=_FORMATS[precision],
            checkpointing=self.checkpointing,
            device=device,
            **others,
        )
