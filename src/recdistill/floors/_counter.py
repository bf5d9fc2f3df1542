"""Decayed skip-gram counter: recent items vote for what used to follow them closely."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from recdistill.floors._floor import Floor
from recdistill.floors._followers import count_followers, popularity_prior, share_out

if TYPE_CHECKING:
    from recdistill.data import Catalog, Sequences


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


def fit_counter(sequences: Sequences, catalog: Catalog, config: CounterConfig) -> Floor:
    """Count followers by 1 / distance; every item then shares out one vote among its followers."""
    votes = count_followers(sequences, catalog.n_items, config.window, lambda d: 1 / d)
    return Floor(
        kind="counter",
        config=asdict(config),
        catalog_digest=catalog.digest,
        votes=share_out(votes, shrinkage=0.0),
        prior=popularity_prior(sequences, catalog.n_items, config.prior),
        n_voters=config.history,
        decay=config.decay,
    )
