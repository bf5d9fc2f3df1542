"""The project's own teacher as a training step to measure: real modules, random weights."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch

from recdistill.data import Catalog
from recdistill.errors import UserError
from recdistill.memory import TrainingStep, decoder_config
from recdistill.students import SASRec
from recdistill.teachers._llm import LLM
from recdistill.teachers._network import TeacherNetwork
from recdistill.teachers._settings import HeadSettings, LoraSettings, TeacherSettings
from recdistill.training import weighted_logsumexp

if TYPE_CHECKING:
    from recdistill.memory import MemorySettings

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
_INSTRUCTION_TOKENS = 8
_TITLE_TOKENS = 8


def teacher_step(settings: MemorySettings, device: torch.device) -> TrainingStep:
    """Build the teacher of train_teacher on a catalog and histories made up at full length.

    Raises
    ------
    UserError
        For alternatives that exist in the planner's stand-in only.
    """
    _require_own(settings)
    per_item = 1 if settings.prompt == "compact" else 1 + _TITLE_TOKENS
    n_read = max(1, (settings.length - _INSTRUCTION_TOKENS) // per_item)
    network = TeacherNetwork(
        SASRec(settings.n_items, dim=settings.item_dim, max_length=n_read),
        _random_llm(settings),
        _catalog(settings.n_items),
        TeacherSettings(
            prompt=settings.prompt,
            adapter=settings.adapter,
            lora_r=settings.lora_r,
            n_experts=settings.n_experts,
            target_modules=settings.target_modules,
            train_backbone=settings.train_backbone,
            lora=LoraSettings(dropout=settings.lora_dropout),
            head=HeadSettings(dim=settings.head_dim),
            max_length=n_read,
        ),
    )
    if settings.checkpointing:
        network.enable_checkpointing()
    network.to(device).train()
    items = torch.randint(1, settings.n_items + 1, (settings.batch, n_read), device=device)

    def loss() -> torch.Tensor:
        states = network.encode(items)[:, :-1]  # [batch, n_read, dim]: before each item
        table = network.item_table()[1:]
        flat = states.flatten(0, 1).float()
        weights = flat.new_full((len(flat),), 1 / len(flat))
        target = (flat * table[items.flatten() - 1]).sum(1)
        return weighted_logsumexp(flat, table.float(), weights) - (weights * target).sum()

    def around() -> AbstractContextManager[Any]:
        return network.gate if network.gate is not None else nullcontext()

    return TrainingStep(network, loss, around)


def _require_own(settings: MemorySettings) -> None:
    only_planned = {
        "mode": "rank",
        "gating": "rank",
        "scoring": "chunked",
        "vocabulary_logits": False,
        "resize_vocabulary": "none",
        "attention": "sdpa",
    }
    for name, own in only_planned.items():
        value = getattr(settings, name)
        if value != own:
            raise UserError(f"The teacher itself has no {name}={value}: set model=planned.")


def _random_llm(settings: MemorySettings) -> LLM:
    from transformers import AutoModelForCausalLM

    config = decoder_config(settings.llm, settings.llm_layers)
    model = AutoModelForCausalLM.from_config(config, dtype=_DTYPES[settings.precision])
    if settings.train_backbone:
        model.float()
    model.requires_grad_(False)
    tokenizer: Any = _Tokenizer()
    return LLM(model, tokenizer, settings.llm, "random")


class _Tokenizer:
    """Stand in for a tokenizer: only the number of tokens matters to the memory."""

    unk_token_id = None

    def __call__(self, text: str | list[str], **_: Any) -> SimpleNamespace:
        if isinstance(text, str):
            return SimpleNamespace(input_ids=[1] * _INSTRUCTION_TOKENS)
        return SimpleNamespace(input_ids=[[1] * _TITLE_TOKENS for _ in text])


def _catalog(n_items: int) -> Catalog:
    names = [f"item {number}" for number in range(1, n_items + 1)]
    index = pd.RangeIndex(1, n_items + 1, name="item")
    return Catalog(pd.DataFrame({"raw_id": names, "title": names, "text": names}, index=index))
