"""The floors' settings, read without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from recdistill.errors import UserError, require_least

FloorKind = Literal["popularity", "markov", "ease", "knn", "counter", "tfidf", "ease_text"]
FLOOR_KINDS: tuple[FloorKind, ...] = get_args(FloorKind)
COUNTING_FLOORS: tuple[FloorKind, ...] = ("popularity", "markov", "ease", "knn", "counter")
"""Those that need interactions alone: every data set has them."""
REGRESSIONS: tuple[FloorKind, ...] = ("ease", "ease_text")
"""Those whose scores are a regression's, of any sign; the others count votes."""


@dataclass(frozen=True)
class PopularityConfig:
    """Popularity has no settings."""


@dataclass(frozen=True)
class MarkovConfig:
    """Settings of the Markov chain.

    Attributes
    ----------
    prior : float
        Votes the most popular item gets for its popularity; others in proportion.
    """

    prior: float = 0.5


@dataclass(frozen=True)
class EASEConfig:
    """Settings of EASE with a decaying history.

    Attributes
    ----------
    l2 : float
        Ridge penalty, the paper's lambda. More pulls towards plain co-occurrence.
    history : int
        This many newest items vote. The paper lets all of them vote alike.
    decay : float
        An item's votes count this much less for every step it lies back; 1 is the paper's.
    prior : float
        Votes the most popular item gets for its popularity; others in proportion.
    """

    l2: float = 500.0
    history: int = 50
    decay: float = 0.85
    prior: float = 0.0001


@dataclass(frozen=True)
class KNNConfig:
    """Settings of the next-item neighbours.

    Attributes
    ----------
    window : int
        A follower counts once anywhere within this many steps.
    history : int
        This many newest items vote.
    decay : float
        An item's votes count this much less for every step it lies back.
    shrinkage : float
        Added to an item's number of followers before dividing by it: rare items say less.
    damping : float
        Power of a follower's own frequency that its votes are divided by: 0 leaves popular
        followers their full votes, 1 takes popularity out.
    prior : float
        Votes the most popular item gets for its popularity; others in proportion.
    """

    window: int = 10
    history: int = 20
    decay: float = 0.8
    shrinkage: float = 20.0
    damping: float = 0.25
    prior: float = 0.0001


@dataclass(frozen=True)
class CounterConfig:
    """Settings of the counter.

    Attributes
    ----------
    window : int
        Followers are counted up to this many steps away, by 1 / distance.
    history : int
        This many newest items vote.
    decay : float
        An item's votes count this much less for every step it lies back.
    prior : float
        Votes the most popular item gets for its popularity; others in proportion.
    """

    window: int = 10
    history: int = 20
    decay: float = 0.8
    prior: float = 0.0001


@dataclass(frozen=True)
class TfidfConfig:
    """Settings of the texts' floor.

    Attributes
    ----------
    neighbours : int
        Most similar items that an item votes for, by the cosine of their TF-IDF vectors.
    history : int
        This many newest items vote.
    decay : float
        An item's votes count this much less for every step it lies back.
    prior : float
        Votes the most popular item gets for its popularity; others in proportion. 0 keeps new
        items level with known ones.
    """

    neighbours: int = 200
    history: int = 20
    decay: float = 0.8
    prior: float = 0.0001

    def __post_init__(self) -> None:
        require_least("tfidf.neighbours", self.neighbours, 1)


@dataclass(frozen=True)
class TextEASEConfig:
    """Settings of EASE with texts.

    Attributes
    ----------
    l2, history, decay, prior : as in ``EASEConfig``
    text_weight : float
        How strongly the weights are pulled to those that the texts give; 0 is EASE itself.
    text_l2 : float
        Ridge penalty of the regression of every item's text on the others' texts.
    dim : int
        Width of the texts' vectors: TF-IDF, factorised.
    """

    l2: float = 500.0
    history: int = 50
    decay: float = 0.85
    prior: float = 0.0001
    text_weight: float = 300.0
    text_l2: float = 1.0
    dim: int = 128

    def __post_init__(self) -> None:
        if self.text_weight < 0:
            raise UserError("ease_text.text_weight must not be negative.")
        for name in ("text_l2", "dim"):
            if getattr(self, name) <= 0:
                raise UserError(f"ease_text.{name} must be positive.")
