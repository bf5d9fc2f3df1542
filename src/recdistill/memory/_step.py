"""A teacher's training step, complete in its memory and indifferent to its values.

The planner and the probe take any :class:`TrainingStep`. The one built here needs no tokenizer, no
catalog and no weights: it has the tensors of the project's teacher (slots filled by a projector, a
router's gate on the low-rank units, states at item boundaries, scores over the catalog) on any
transformers decoder.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional as F

from recdistill.errors import UserError
from recdistill.memory._shapes import decoder_config

if TYPE_CHECKING:
    from recdistill.memory._settings import MemorySettings

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
TOKENS_PER_ITEM = {"compact": 1, "hybrid": 9}  # title tokens and the slot, on film titles
TARGET_TOKENS = 16  # of a generated title
_CHUNK_BYTES = 2**21  # rows of scores held at a time by the chunked loss


@dataclass
class TrainingStep:
    """What one optimizer step consists of.

    Attributes
    ----------
    model
        Holds every parameter, already on its device.
    loss
        Forward pass on the worst batch of the settings; runs under the runner's mixed precision.
    around
        A context to hold open over forward and backward (a gate, for instance).
    """

    model: nn.Module
    loss: Callable[[], torch.Tensor]
    around: Callable[[], AbstractContextManager[Any]] = field(default=nullcontext)

    @property
    def trainable(self) -> list[nn.Parameter]:
        """Parameters that the optimizer updates."""
        return [p for p in self.model.parameters() if p.requires_grad]


StepBuilder = Callable[["MemorySettings", torch.device], TrainingStep]


def decoder_step(settings: MemorySettings, device: torch.device) -> TrainingStep:
    """Build the step of a teacher on a decoder with random weights (none on ``meta``).

    Raises
    ------
    UserError
        For an unknown ``llm``, ``target_modules`` that name no layer, or a ``length`` beyond what
        the decoder reads.
    """
    with device:
        model = _Teacher(settings)
        batch = _inputs(model, settings)
    return TrainingStep(model, lambda: model(*batch))


class _Teacher(nn.Module):
    def __init__(self, settings: MemorySettings) -> None:
        super().__init__()
        config = decoder_config(settings.llm, settings.llm_layers)
        longest = getattr(config, "max_position_embeddings", settings.length)
        if settings.length > longest:
            raise UserError(
                f"length={settings.length} exceeds the {longest} positions of {settings.llm}."
            )
        self.settings = settings
        self.decoder = _decoder(config, settings)
        hidden = self.decoder.get_input_embeddings().embedding_dim
        dim, width = settings.item_dim, settings.head_dim
        self.projector = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, hidden))
        gated = settings.adapter == "ilora"
        self.router = nn.Linear(dim, settings.n_experts) if gated else None
        self.gates: list[torch.Tensor] = []
        if settings.adapter != "none":
            self.decoder = _adapt(self.decoder, settings)
        if gated:
            self._attach_gate()
        if settings.mode == "rank":
            self.state_head = nn.Linear(hidden, width)
            self.item_head = nn.Linear(dim, width)
            self.free_head = nn.Embedding(settings.n_items + 1, width)
            if settings.item_titles:
                self.title_head = nn.Linear(hidden, width, bias=False)
                titles = torch.zeros(settings.n_items + 1, hidden)
                self.register_buffer("titles", titles, persistent=False)
        self.register_buffer("vectors", torch.zeros(settings.n_items + 1, dim), persistent=False)
        self.vectors: torch.Tensor
        self.titles: torch.Tensor

    def forward(self, tokens: torch.Tensor, items: torch.Tensor, places: torch.Tensor) -> Any:
        """Compute a scalar loss; shapes [batch, length], [batch, n_slots], [batch, n_slots]."""
        length = tokens.shape[1]
        if self.router is not None:
            weights = self.router(self.vectors[items]).softmax(-1)  # [batch, n_slots, n_experts]
            weights = weights[:, :1].expand(-1, length, -1)
            self.gates[:] = [weights * self.settings.n_experts]
        core = _core(self.decoder)
        embedded = core.get_input_embeddings()(tokens)  # [batch, length, hidden]
        slots = self.projector(self.vectors[items]).to(embedded.dtype)
        index = places[..., None].expand(-1, -1, embedded.shape[-1])
        embedded = embedded.scatter(1, index, slots)
        kept = TARGET_TOKENS if self.settings.mode == "generate" else places.shape[1]
        logits: Any = None
        hidden: Any
        if self.settings.mode == "generate" or self.settings.vocabulary_logits:
            keep = 0 if self.settings.vocabulary_logits else kept
            output = core(
                inputs_embeds=embedded,
                use_cache=False,
                logits_to_keep=keep,
                output_hidden_states=self.settings.vocabulary_logits,
            )
            logits = output.logits
            hidden = output.hidden_states[-1] if output.hidden_states else None
        else:
            hidden = core.base_model(inputs_embeds=embedded, use_cache=False).last_hidden_state
        if self.settings.mode == "generate":
            targets = tokens[:, : logits.shape[1]].flatten()
            return F.cross_entropy(logits.flatten(0, 1).float(), targets)
        states = hidden.gather(1, index)  # [batch, n_slots, hidden]
        return self._item_loss(states, items)

    def _item_loss(self, states: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        if self.settings.scoring == "last":
            states, items = states[:, -1:], items[:, -1:]
        states = self.state_head(F.rms_norm(states.float(), states.shape[-1:])).float()
        table = self.item_head(self.vectors)
        if self.settings.item_titles:
            table = table + self.title_head(self.titles)
        table = (table + self.free_head.weight).float()[1:]
        flat = states.flatten(0, 1)  # [batch * n_slots, head_dim]
        if self.settings.scoring == "chunked":
            target_scores = (flat * table[items.flatten()]).sum()
            sums: torch.Tensor = _ChunkedLogSumExp.apply(flat, table)  # type: ignore[no-untyped-call]
            loss: torch.Tensor = sums - target_scores
            return loss
        return F.cross_entropy(flat @ table.T, items.flatten())

    def _attach_gate(self) -> None:
        ranks = self.settings.lora_r // self.settings.n_experts
        for module in self.decoder.modules():
            if not hasattr(module, "lora_A"):
                continue
            if self.settings.gating == "outputs":
                for name in module.lora_B:
                    module.lora_B[name] = _ExpertOutputs(module.lora_B[name], self.gates, ranks)
                continue
            for low in module.lora_A.values():
                low.register_forward_hook(
                    lambda _, __, out: out * _like(self.gates[0].repeat_interleave(ranks, -1), out)
                )


class _ExpertOutputs(nn.Module):
    """Mix experts after their outputs, as the published iLoRA code does: n times the memory."""

    def __init__(self, up: nn.Linear, gates: list[torch.Tensor], ranks: int) -> None:
        super().__init__()
        self.up, self.gates, self.ranks = up, gates, ranks
        self.weight = up.weight

    def forward(self, low: torch.Tensor) -> torch.Tensor:
        """Low-rank units [batch, length, r] to the mixed update [batch, length, out]."""
        units = torch.split(low, self.ranks, dim=-1)
        weights = torch.split(self.up.weight, self.ranks, dim=1)
        parts = [F.linear(*pair) for pair in zip(units, weights, strict=True)]
        outputs = torch.stack(parts, dim=-2)
        gates = _like(self.gates[0], low)
        return (outputs * gates[..., None]).sum(-2)  # [batch, length, n_experts, out] -> out


def _like(gates: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Gates in the dtype and layout of the rows: some decoders flatten batch and length."""
    gates = gates.to(rows.dtype)
    return gates.flatten(0, 1) if rows.dim() == 2 else gates


class _ChunkedLogSumExp(torch.autograd.Function):
    """Memory of the chunked full softmax: both gradients are made during the forward pass."""

    @staticmethod
    def forward(ctx: Any, states: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
        rows = min(len(states), max(64, min(1024, _CHUNK_BYTES // (4 * len(table)))))
        grad_states, grad_table = torch.empty_like(states), torch.zeros_like(table)
        scaled = states * 1.0
        total = states.new_zeros(())
        buffer = states.new_empty(rows, len(table))
        for start in range(0, len(states), rows):
            scores = torch.mm(
                scaled[start : start + rows], table.T, out=buffer[: len(states) - start]
            )
            total += scores.logsumexp(1).sum()
        ctx.save_for_backward(grad_states, grad_table)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        grad_states, grad_table = ctx.saved_tensors
        return grad_states * gradient, grad_table * gradient


def _decoder(config: Any, settings: MemorySettings) -> Any:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_config(
        config, dtype=DTYPES[settings.precision], attn_implementation=settings.attention
    )
    if settings.train_backbone:
        model = model.float()  # what is trained is kept in single precision
    model.requires_grad_(settings.train_backbone)
    if settings.resize_vocabulary != "none":
        model.resize_token_embeddings(config.vocab_size + 4, mean_resizing=False)
        model.get_input_embeddings().requires_grad_(settings.resize_vocabulary == "trainable")
        if model.get_output_embeddings() is not None:
            model.get_output_embeddings().requires_grad_(settings.resize_vocabulary == "trainable")
    model.train()
    if settings.checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return model


def _adapt(decoder: Any, settings: MemorySettings) -> Any:
    from peft import LoraConfig, get_peft_model

    trainable = [p for p in decoder.parameters() if p.requires_grad]
    config = LoraConfig(
        r=settings.lora_r,
        lora_alpha=4 * settings.lora_r,
        lora_dropout=settings.lora_dropout,
        target_modules=settings.modules,
        task_type="CAUSAL_LM",
    )
    try:
        adapted = get_peft_model(decoder, config)
    except ValueError as error:
        raise UserError(
            f"target_modules={settings.target_modules!r} names no linear layer of {settings.llm}: "
            f"use all-linear or the names of its layers."
        ) from error
    for parameter in trainable:  # PEFT froze them; whoever resizes later does not
        parameter.requires_grad_(True)
    return adapted


def _core(decoder: Any) -> Any:
    return decoder.get_base_model() if hasattr(decoder, "get_base_model") else decoder


def _inputs(model: _Teacher, settings: MemorySettings) -> tuple[torch.Tensor, ...]:
    batch, length = settings.batch, settings.length
    per_item = TOKENS_PER_ITEM[settings.prompt]
    n_slots = max(1, length // per_item)
    tokens = torch.zeros(batch, length, dtype=torch.long)
    items = torch.ones(batch, n_slots, dtype=torch.long)
    places = torch.arange(per_item - 1, per_item * n_slots, per_item) % length
    return tokens, items, places.expand(batch, -1)
