"""The teacher: a language model that scores the whole catalog after every item of a history."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import nn

from recdistill.errors import UserError
from recdistill.teachers._adapt import adapt
from recdistill.teachers._gate import Gate
from recdistill.teachers._parts import Head, Projector
from recdistill.teachers._prompt import (
    ItemTokens,
    Layout,
    count_tokens,
    instruction_tokens,
    lay_out,
)
from recdistill.teachers._router import Router

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from recdistill.data import Catalog, Sequences
    from recdistill.students import SequentialModel
    from recdistill.teachers._llm import LLM
    from recdistill.teachers._settings import TeacherSettings


class TeacherNetwork(nn.Module):
    """Frozen recommender, projector, router, adapted language model and scoring head.

    Scores after ``t`` items are ``encode(items)[:, t] @ item_table().T``. Everything that enters
    the state after ``t`` items has seen those items only: the recommender's state for router and
    control, the tokens and slots by causal attention.

    Parameters
    ----------
    recommender : SequentialModel
        ``encode(items [batch, length]) -> [batch, length, dim]``, ``item_table() -> [n_items + 1,
        dim]``, ``max_length``. Frozen here and kept in eval mode, whatever mode the network is in.
    llm : LLM or None
        None exactly when the adapter kind is ``head``.
    catalog : Catalog
    settings : TeacherSettings

    Raises
    ------
    UserError
        When the recommender's states look ahead, or the prompts cannot fit the language model.
    """

    recommender: SequentialModel
    vectors: torch.Tensor
    titles: torch.Tensor
    title_ids: torch.Tensor
    title_lengths: torch.Tensor
    instruction: torch.Tensor

    def __init__(
        self,
        recommender: SequentialModel,
        llm: LLM | None,
        catalog: Catalog,
        settings: TeacherSettings,
    ) -> None:
        super().__init__()
        if settings.max_length > recommender.max_length:
            raise UserError(
                f"max_length={settings.max_length} but the baseline reads {recommender.max_length} "
                f"items at most: use max_length={recommender.max_length} or less."
            )
        self.settings = settings
        self.n_items = catalog.n_items
        self.max_length = settings.max_length
        self.recommender = recommender.requires_grad_(False).eval()
        _require_prefix_only(recommender)
        gated = settings.adapter == "ilora"
        self.gate = Gate(settings.n_experts, settings.lora_r) if gated else None
        vectors = _standardise(recommender.item_table().detach().float())
        self.register_buffer("vectors", vectors, persistent=False)
        dim = vectors.shape[1]
        self.router = Router(dim, settings.n_experts, settings.lora.router) if gated else None
        self.peft: nn.Module | None = None
        if llm is None:
            hidden = 4 * dim
            self.substitute = nn.Sequential(nn.Linear(dim, hidden), nn.GELU())
        else:
            hidden = llm.hidden_size
            self._install(llm, catalog)
            self.peft = adapt(llm, settings, self.gate)
            self.projector = Projector(dim, hidden, self.embeddings.weight.std().item())
        self.head = Head(hidden, dim, hidden if llm is not None else 0, self.n_items, settings.head)

    def _install(self, llm: LLM, catalog: Catalog) -> None:
        """Tokenise instruction and item texts and pool every item's text into one vector."""
        settings, tokenizer, text = self.settings, llm.tokenizer, self.settings.text
        texts = catalog.items[text.item_text].tolist()
        tokens = ItemTokens.from_texts(texts, tokenizer, text.max_title_tokens)
        instruction = instruction_tokens(tokenizer, text.instruction, llm.model.config.bos_token_id)
        self.register_buffer("instruction", torch.tensor(instruction), persistent=False)
        self.register_buffer("title_ids", tokens.ids, persistent=False)
        self.register_buffer("title_lengths", tokens.lengths, persistent=False)
        embeddings = llm.model.get_input_embeddings().weight.detach()
        real = torch.arange(tokens.ids.shape[1]) < tokens.lengths[:, None]
        pooled = (embeddings[tokens.ids].float() * real[..., None]).sum(1)
        pooled = pooled / tokens.lengths.clamp(min=1)[:, None]
        self.register_buffer("titles", _standardise(pooled), persistent=False)
        longest = int(tokens.lengths.max()) if settings.prompt == "hybrid" else 0
        needed = len(instruction) + settings.max_length * (longest + 1)
        available = getattr(llm.model.config, "max_position_embeddings", needed)
        if needed > available:
            raise UserError(
                f"{llm.name} reads at most {available} tokens but max_length={settings.max_length} "
                f"items may need {needed} in the {settings.prompt} prompt: lower max_length or "
                "max_title_tokens, or choose prompt=compact."
            )

    @property
    def embeddings(self) -> nn.Embedding:
        """The language model's own token embeddings."""
        embeddings: nn.Embedding = self.causal_lm.get_input_embeddings()
        return embeddings

    @property
    def causal_lm(self) -> Any:
        """The language model with its adapter, as transformers knows it."""
        model: Any = self.peft
        return model.get_base_model() if hasattr(model, "get_base_model") else model

    def train(self, mode: bool = True) -> TeacherNetwork:
        """Switch mode, but never the frozen recommender's: its dropout would blur every input."""
        super().train(mode)
        self.recommender.eval()
        return self

    def encode(self, items: torch.Tensor) -> torch.Tensor:
        """States after 0, 1, ... items of every history.

        Parameters
        ----------
        items : int64 tensor, shape [batch, length], right-padded with 0

        Returns
        -------
        tensor, shape [batch, length + 1, dim]
            Beyond a row's own length the values mean nothing.
        """
        with torch.no_grad():
            known = self.recommender.encode(items)
        known = F.pad(known, (0, 0, 1, 0))  # [batch, length + 1, dim]: zero before any item
        # Without gradients nothing runs again later, so the gate may close with this forward.
        with nullcontext() if torch.is_grad_enabled() else self.held_gate():
            hidden = self.substitute(known) if self.peft is None else self._read(items, known)
            states: torch.Tensor = self.head.states(hidden)
        if self.settings.head.residual:
            states = torch.cat([states, self.head.residual_weight * known], dim=-1)
        return states

    def _read(self, items: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """Run the language model and return its hidden states at the item boundaries."""
        tokens = ItemTokens(self.title_ids, self.title_lengths)
        hybrid = self.settings.prompt == "hybrid"
        layout = lay_out(items, self.instruction, tokens if hybrid else None)
        if self.gate is not None and self.router is not None:
            self.gate.set(_pick(self.router(known), layout.n_seen))  # [batch, width, n_experts]
        body = self.causal_lm.base_model
        # Right padding under causal attention cannot be seen by any real token: no mask is needed,
        # and attention keeps its fastest path.
        hidden = body(inputs_embeds=self._embed(items, layout), use_cache=False).last_hidden_state
        return _pick(hidden, layout.boundaries)

    def _embed(self, items: torch.Tensor, layout: Layout) -> torch.Tensor:
        """Token embeddings with every slot filled, shape [batch, width, hidden]."""
        # A batch holds few distinct items beside its length, so each is projected once.
        distinct, inverse = torch.unique(items, return_inverse=True)
        slots = self.projector(self.vectors[distinct])
        if self.settings.prompt == "compact":
            slots = slots + self.projector.scale * self.titles[distinct]
        embedded = self.embeddings(layout.token_ids)
        row, column = (items > 0).nonzero(as_tuple=True)
        place = (row, layout.boundaries[row, column + 1])
        filled: torch.Tensor = embedded.index_put(
            place, slots[inverse[row, column]].to(embedded.dtype)
        )
        return filled

    def item_table(self) -> torch.Tensor:
        """Return what states are multiplied with, shape [n_items + 1, dim]; row 0 is padding."""
        table: torch.Tensor = self.head.items(self.vectors, getattr(self, "titles", None))
        if self.settings.head.residual:
            known = self.recommender.item_table().detach()
            table = torch.cat([table, known], dim=-1)
        return table

    @property
    def device(self) -> torch.device:
        """Where the parameters live."""
        return _device(self)

    @property
    def compute_dtype(self) -> torch.dtype:
        """Number format of the frozen language model; float32 without one."""
        return torch.float32 if self.peft is None else self.embeddings.weight.dtype

    def count_tokens(self, histories: Sequences) -> NDArray[np.int64]:
        """Count the prompt's tokens for each row of histories, shape [n_rows]."""
        if self.peft is None:
            return count_tokens(histories, 0, None)
        hybrid = self.settings.prompt == "hybrid"
        text = self.title_lengths.cpu().numpy() if hybrid else None
        return count_tokens(histories, len(self.instruction), text)

    def count_tokens_of(self, items: torch.Tensor) -> int:
        """Count the real tokens of one batch, items [batch, length]."""
        n = int((items > 0).sum())
        if self.peft is None:
            return n
        if self.settings.prompt == "hybrid":
            n += int(self.title_lengths[items].sum())
        return n + len(items) * len(self.instruction)

    def held_gate(self) -> AbstractContextManager[object]:
        """Block around a forward and its backward; see ``Gate``."""
        return nullcontext() if self.gate is None else self.gate

    def enable_checkpointing(self) -> None:
        """Recompute the language model's activations in the backward, layer by layer.

        Never the reentrant kind, which cannot carry the gate; see ``Gate``.
        """
        if self.peft is None:
            return
        self.causal_lm.gradient_checkpointing_enable(
            gradient_checkpointing_kwargs={"use_reentrant": False}
        )

    def adapter_moved(self) -> bool:
        """Whether LoRA's B, which starts at zero, has left it (or there is none)."""
        sides = [p for name, p in self.trainable().items() if ".lora_B." in name]
        return not sides or any(bool(p.any()) for p in sides)

    def trainable(self) -> dict[str, nn.Parameter]:
        """Parameters the optimiser may touch, by name."""
        return {name: p for name, p in self.named_parameters() if p.requires_grad}


def _device(module: nn.Module) -> torch.device:
    return next(module.parameters()).device


def _pick(values: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Gather along the second axis: values [batch, n, dim], index [batch, m] -> [batch, m, dim]."""
    return values.gather(1, index[..., None].expand(-1, -1, values.shape[-1]))


def _standardise(table: torch.Tensor) -> torch.Tensor:
    """Zero mean and unit variance per column over the real items; the padding row stays zero."""
    real = table[1:]
    out = torch.zeros_like(table)
    out[1:] = (real - real.mean(0)) / real.std(0).clamp(min=1e-6)
    return out


@torch.no_grad()
def _require_prefix_only(recommender: SequentialModel) -> None:
    """Refuse a recommender whose state at a position changes with what or how much follows.

    One forward over a history stands for all its prefixes only if it does not.
    """
    length = min(6, recommender.max_length)
    items = torch.arange(4 * length).view(4, length) % recommender.n_items + 1
    items = items.to(next(recommender.parameters()).device)
    for kept in range(1, length):
        whole, alone = recommender.encode(items)[:, :kept], recommender.encode(items[:, :kept])
        if not torch.allclose(whole, alone, rtol=1e-3, atol=1e-4):
            raise UserError(
                "The baseline's state at a position changes with what follows, so a teacher "
                "trained on it at every position would see the future: use a causal baseline."
            )
