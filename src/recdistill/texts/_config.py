"""Which vectors are made of the items' texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from recdistill.errors import require_choice, require_least

Pooling = Literal["mean", "last", "first"]
Reduction = Literal["pca", "whiten", "none"]
Weights = Literal["pretrained", "random"]


@dataclass(frozen=True)
class Encoding:
    """How a language model encodes a text.

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
    """

    pooling: Pooling = "mean"
    layer: int = 0
    instruction: str = ""
    max_tokens: int = 64

    def __post_init__(self) -> None:
        require_choice("pooling", self.pooling, get_args(Pooling))
        require_least("layer", self.layer, 0)
        require_least("max_tokens", self.max_tokens, 1)


@dataclass(frozen=True)
class EmbeddingConfig(Encoding):
    """How texts are encoded, and what becomes of their vectors.

    Attributes
    ----------
    dim : int
        Width of the vectors. TF-IDF is factorised to it, a model's states are reduced to it.
    reduction : "pca", "whiten" or "none"
        ``pca`` centres and keeps the leading components, ``whiten`` also gives each of them unit
        variance, ``none`` only centres and keeps every dimension.
    permuted : bool
        Give every item another item's vector: the control that keeps the vectors and takes away
        what they say.
    """

    dim: int = 128
    reduction: Reduction = "pca"
    permuted: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("reduction", self.reduction, get_args(Reduction))
        require_least("dim", self.dim, 1)
