"""What shapes a teacher: the part of the configuration that is saved with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from recdistill.errors import UserError
from recdistill.teachers._router import RouterKind  # noqa: TC001 - read by the config parser

Prompt = Literal["compact", "hybrid"]
AdapterKind = Literal["ilora", "lora", "none", "head"]


@dataclass
class AdapterSettings:
    """The trainable part inside the language model.

    Attributes
    ----------
    kind : {"ilora", "lora", "none", "head"}
        Gated mixture of experts, plain LoRA, a frozen language model without adapter, or no
        language model at all (its place is taken by a small network on the recommender's state).
    r, n_experts : int
        Total rank and number of experts; each expert has rank ``r / n_experts``. The paper: 8, 4.
    alpha : float
        A uniform gate scales the update by ``alpha / r``. The paper: 32.
    dropout : float
        On each adapted layer's input. The paper: 0.1.
    target_modules : str
        ``all-linear``, or the comma-separated names PEFT knows (``q_proj,v_proj``).
    router : {"linear", "mlp"}
    """

    kind: AdapterKind = "ilora"
    r: int = 8
    n_experts: int = 4
    alpha: float = 32.0
    dropout: float = 0.1
    target_modules: str = "all-linear"
    router: RouterKind = "linear"

    def __post_init__(self) -> None:
        if self.kind == "ilora" and (self.n_experts < 1 or self.r % self.n_experts):
            raise UserError(
                f"lora_r={self.r} cannot be shared by n_experts={self.n_experts}: make the rank a "
                "multiple of the number of experts."
            )


@dataclass
class TeacherSettings:
    """Architecture of a teacher, beside the language model and the recommender it stands on.

    Attributes
    ----------
    mode : {"rank", "generate"}
        What it was trained for: to score the catalog, or to write a title.
    prompt : {"compact", "hybrid"}
        ``compact``: one token per item, its slot carrying the projected recommender vector and
        the pooled title embedding. ``hybrid``: the title's tokens, then the slot, as in iLoRA;
        about eight times as many tokens on films.
    max_length : int
        Items of history in one forward; at most what the recommender was trained with.
    instruction : str
        Text before the first item. Its last state scores an empty history.
    item_text : {"title", "text"}
        Which column of the catalog the language model reads.
    max_title_tokens : int
        A longer item text is cut.
    head_dim : int
        Width in which states meet items.
    free_items : bool
        Give every item a trainable vector beside those made from recommender and title.
    residual : bool
        Add the frozen recommender's own logits, by a learned weight.
    train_backbone : bool
        Train every weight of the language model instead of an adapter: for the random control.
    """

    mode: Literal["rank", "generate"] = "rank"
    prompt: Prompt = "compact"
    adapter: AdapterSettings = field(default_factory=AdapterSettings)
    max_length: int = 100
    instruction: str = "The items this user chose, oldest first:"
    item_text: Literal["title", "text"] = "title"
    max_title_tokens: int = 16
    head_dim: int = 256
    head_dropout: float = 0.4
    free_items: bool = True
    residual: bool = False
    train_backbone: bool = False
