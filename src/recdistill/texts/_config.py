"""Which vectors are made of the items' texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from recdistill.errors import UserError

Pooling = Literal["mean", "last", "first"]
Reduction = Literal["pca", "whiten", "none"]
Weights = Literal["pretrained", "random"]


@dataclass(frozen=True)
class EmbeddingConfig:
    """Settings of the item vectors.

    Attributes
    ----------
    pooling : "mean", "last" or "first"
        Which of a text's token states make its vector: their mean (encoders trained for it, and
        the safe choice), the last one (causal language models), or the first one.
    layer : int
        States after this layer; 0 is the last one.
    instruction : str
        Put before every text.
    max_tokens : int
        A longer text is cut.
    dim : int
        Width of the vectors. TF-IDF is factorised to it, a model's states are reduced to it.
    reduction : "pca", "whiten" or "none"
        ``pca`` centres and keeps the leading components, ``whiten`` also gives each of them unit
        variance, ``none`` only centres and keeps every dimension.
    permuted : bool
        Give every item another item's vector: the control that keeps the vectors and takes away
        what they say.
    """

    pooling: Pooling = "mean"
    layer: int = 0
    instruction: str = ""
    max_tokens: int = 64
    dim: int = 128
    reduction: Reduction = "pca"
    permuted: bool = False

    def __post_init__(self) -> None:
        for name, choices in (("pooling", Pooling), ("reduction", Reduction)):
            allowed = get_args(choices)
            if getattr(self, name) not in allowed:
                raise UserError(
                    f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(allowed)}."
                )
        for name, least in (("layer", 0), ("max_tokens", 1), ("dim", 1)):
            if getattr(self, name) < least:
                raise UserError(f"{name} is {getattr(self, name)}; it must be at least {least}.")
