"""First-order Markov chain: what directly followed the newest item before."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from recdistill.floors._floor import Floor
from recdistill.floors._followers import count_followers, popularity_prior

if TYPE_CHECKING:
    from recdistill.data import Catalog, Sequences
    from recdistill.floors._config import MarkovConfig


def fit_markov(sequences: Sequences, catalog: Catalog, config: MarkovConfig) -> Floor:
    """Count direct followers; only the newest item votes, so no row needs to be normalised."""
    return Floor(
        kind="markov",
        config=asdict(config),
        catalog_digest=catalog.digest,
        votes=count_followers(sequences, catalog.n_items, 1, lambda _: 1.0),
        prior=popularity_prior(sequences, catalog.n_items, config.prior),
        n_voters=1,
        decay=1.0,
    )
