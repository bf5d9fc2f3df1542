"""Decayed skip-gram counter: recent items vote for what used to follow them closely."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from recdistill.floors._floor import Floor
from recdistill.floors._followers import count_followers, popularity_prior, share_out

if TYPE_CHECKING:
    from recdistill.data import Catalog, Sequences
    from recdistill.floors._config import CounterConfig


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
