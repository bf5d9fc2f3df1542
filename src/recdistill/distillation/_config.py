"""Settings of every loss term and of the fusion, read without torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from recdistill.errors import UserError, require_least

Variant = Literal["paper", "reference_code"]
Tail = Literal["empty", "bucket"]


@dataclass(frozen=True, kw_only=True)
class RankingOptions:
    """Settings of the ranking term; the defaults are the paper's.

    Attributes
    ----------
    variant : "paper" or "reference_code"
        ``reference_code`` does what the published code does, see ``ReferenceRanking``.
    position, confidence, consistency : float
        Weights of the three kinds of importance (gamma_p, gamma_c, gamma_o).
    beta : float
        How slowly importance falls with rank and with the distance.
    dros : float
        ``reference_code`` only: weight of the DROS loss that the published code adds to every
        listed item's, its ``alpha`` (its README's value). 0 leaves it out, and is far cheaper.
    """

    variant: Variant = "paper"
    position: float = 0.3
    confidence: float = 0.5
    consistency: float = 0.1
    beta: float = 1.0
    dros: float = 0.5

    def __post_init__(self) -> None:
        if self.variant not in get_args(Variant):
            raise UserError(
                f"ranking.variant is {self.variant!r}; it must be 'paper' or 'reference_code'."
            )
        if self.beta <= 0:
            raise UserError(f"ranking.beta is {self.beta}; it must be positive.")
        if self.dros < 0:
            raise UserError(f"ranking.dros is {self.dros}; it must not be negative.")


@dataclass(frozen=True)
class RankingConfig(RankingOptions):
    """Settings of the ranking term.

    Attributes
    ----------
    n_negatives : int
        Items drawn per target.
    """

    n_negatives: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        require_least("n_negatives", self.n_negatives, 1)


@dataclass(frozen=True)
class ListwiseConfig:
    """Settings of the listwise term.

    Attributes
    ----------
    temperature : float
        Softens teacher and student alike; the term is multiplied by its square, so its gradient
        keeps its size (Hinton et al. 2015, arXiv 1503.02531).
    tail : "bucket" or "empty"
        What the teacher says about the items outside its list. ``bucket``: their total probability,
        and nothing about which of them. ``empty``: that they are never next; its probabilities are
        renormalised to the list, which makes a student too sure of itself.
    """

    temperature: float = 1.0
    tail: Tail = "bucket"

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise UserError(f"listwise.temperature is {self.temperature}; it must be positive.")
        if self.tail not in get_args(Tail):
            raise UserError(f"listwise.tail is {self.tail!r}; it must be 'empty' or 'bucket'.")


@dataclass(frozen=True)
class DROSConfig:
    """Settings of the DROS term.

    Attributes
    ----------
    beta : float
        Radius of the distributions guarded against; smaller guards against wilder shifts.
    power : float
        Flattens the popularity: an item's propensity is its share of interactions to this power.
    """

    beta: float = 1.0
    power: float = 0.05

    def __post_init__(self) -> None:
        if self.beta <= 0:
            raise UserError(f"dros.beta is {self.beta}; it must be positive.")


@dataclass(frozen=True)
class FusionConfig:
    """Settings of the fusion.

    Attributes
    ----------
    learnable : bool
        Whether the weight is trained along; fixed as in DLLM2Rec otherwise.
    components : int
        The teacher's vectors are reduced to this many principal components first; 0 keeps them.
    """

    learnable: bool = True
    components: int = 64

    def __post_init__(self) -> None:
        if self.components < 0:
            raise UserError("fusion.components must not be negative.")


@dataclass(frozen=True)
class TermConfigs:
    """Settings of every term, whether used or not."""

    ranking: RankingConfig = field(default_factory=RankingConfig)
    listwise: ListwiseConfig = field(default_factory=ListwiseConfig)
    dros: DROSConfig = field(default_factory=DROSConfig)
