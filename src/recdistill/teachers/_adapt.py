"""The trainable part inside the language model: plain or gated LoRA through PEFT."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recdistill.errors import UserError
from recdistill.teachers._gate import attach_gate, register_gate

if TYPE_CHECKING:
    from torch import nn

    from recdistill.teachers._gate import Gate
    from recdistill.teachers._llm import LLM
    from recdistill.teachers._settings import TeacherShape

_ADAPTER = "default"


def adapt(llm: LLM, shape: TeacherShape, gate: Gate | None) -> nn.Module:
    """Wrap the language model in its adapter, everything else in it frozen.

    Raises
    ------
    UserError
        When ``target_modules`` names no layer.
    """
    if shape.adapter in ("none", "head"):
        model: nn.Module = llm.model.requires_grad_(shape.train_backbone)
        return model
    from peft import LoraConfig, get_peft_model

    names = shape.target_modules
    config = LoraConfig(
        r=shape.lora_r,
        lora_alpha=shape.lora.alpha,
        lora_dropout=shape.lora.dropout,
        target_modules=names if names == "all-linear" else [n.strip() for n in names.split(",")],
        task_type="CAUSAL_LM",
    )
    if gate is not None:
        register_gate(config)
    try:
        model = get_peft_model(llm.model, config, adapter_name=_ADAPTER)
    except ValueError as error:
        raise UserError(
            f"target_modules={names} names no layer of {llm.name} ({str(error).splitlines()[0]}): "
            "use all-linear, or names from the parameter audit."
        ) from error
    if gate is not None:
        attach_gate(model, gate)
    if shape.train_backbone:
        llm.model.requires_grad_(True)
    return model
