"""What shapes a teacher: the part of the configuration that is saved with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from recdistill.errors import UserError

RouterKind = Literal["linear", "mlp"]
Weights = Literal["pretrained", "random"]

Prompt = Literal["compact", "hybrid"]
AdapterKind = Literal["ilora", "lora", "none", "head"]
Mode = Literal["rank", "generate"]


@dataclass(frozen=True)
class LoraSettings:
    """What a low-rank adapter asks beside its rank.

    Attributes
    ----------
    alpha : float
        A uniform gate scales the update by ``alpha / lora_r``. The paper: 32.
    dropout : float
        On each adapted layer's input. The paper: 0.1.
    router : {"linear", "mlp"}
    """

    alpha: float = 32.0
    dropout: float = 0.1
    router: RouterKind = "linear"


@dataclass(frozen=True)
class HeadSettings:
    """Where states meet items.

    Attributes
    ----------
    dim : int
        Width of both.
    dropout : float
        On the states.
    free_items : bool
        Give every item a trainable vector beside those made from recommender and title.
    residual : bool
        Add the frozen recommender's own logits, by a learned weight.
    """

    dim: int = 256
    dropout: float = 0.4
    free_items: bool = True
    residual: bool = False


@dataclass(frozen=True)
class TextSettings:
    """What the language model reads.

    Attributes
    ----------
    instruction : str
        Text before the first item. Its last state scores an empty history.
    item_text : {"title", "text"}
        Which column of the catalog.
    max_title_tokens : int
        A longer item text is cut.
    """

    instruction: str = "The items this user chose, oldest first:"
    item_text: Literal["title", "text"] = "title"
    max_title_tokens: int = 16


@dataclass(frozen=True)
class TeacherShape:
    """What decides the size of a teacher's network, beside its language model.

    Attributes
    ----------
    prompt : {"compact", "hybrid"}
        ``compact``: one token per item, its slot carrying the projected recommender vector and
        the pooled title embedding. ``hybrid``: the title's tokens, then the slot, as in iLoRA;
        about eight times as many tokens on films.
    mode : {"rank", "generate"}
        What it is trained for: to score the catalog, or to write a title.
    adapter : {"ilora", "lora", "none", "head"}
        Gated mixture of experts, plain LoRA, a frozen language model without adapter, or no
        language model at all (its place is taken by a small network on the recommender's state).
    lora_r, n_experts : int
        Total rank and number of experts; each expert has rank ``lora_r / n_experts``. The paper:
        8, 4.
    target_modules : str
        ``all-linear``, or the comma-separated names PEFT knows (``q_proj,v_proj``).
    train_backbone : bool
        Train every weight of the language model instead of an adapter: for the random control.
    """

    prompt: Prompt = "compact"
    mode: Mode = "rank"
    adapter: AdapterKind = "ilora"
    lora_r: int = 8
    n_experts: int = 4
    target_modules: str = "all-linear"
    train_backbone: bool = False
    lora: LoraSettings = field(default_factory=LoraSettings)
    head: HeadSettings = field(default_factory=HeadSettings)

    def __post_init__(self) -> None:
        if self.adapter == "ilora" and (self.n_experts < 1 or self.lora_r % self.n_experts):
            raise UserError(
                f"lora_r={self.lora_r} cannot be shared by n_experts={self.n_experts}: make the "
                "rank a multiple of the number of experts."
            )


@dataclass(frozen=True)
class TeacherSettings(TeacherShape):
    """Everything saved with a teacher, beside the language model and its recommender.

    Attributes
    ----------
    max_length : int
        Items of history in one forward; at most what the recommender was trained with.
    text : TextSettings
    """

    max_length: int = 100
    text: TextSettings = field(default_factory=TextSettings)


@dataclass(frozen=True)
class GenerateSettings:
    """What ``generate`` mode asks beside the training settings.

    Attributes
    ----------
    n_history, n_candidates : int
        Of the prompt; the papers: 10 and 20.
    n_steps : int
        Optimiser steps; the papers' five epochs on LastFM are about 1,900.
    n_prompts : int
        Prompts per step; the papers: 128.
    micro_batch : int
        Prompts per forward; a step accumulates them.
    """

    n_history: int = 10
    n_candidates: int = 20
    n_steps: int = 200
    n_prompts: int = 16
    micro_batch: int = 8
