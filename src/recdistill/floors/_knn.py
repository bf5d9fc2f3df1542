"""Next-item kNN: like the counter, with a flat window, and rare and popular items held back."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from recdistill.floors._floor import Floor
from recdistill.floors._followers import count_followers, popularity_prior, share_out

if TYPE_CHECKING:
    from recdistill.data import Catalog, Sequences
    from recdistill.floors._config import KNNConfig


def fit_knn(sequences: Sequences, catalog: Catalog, config: KNNConfig) -> Floor:
    """Count followers within the window, then normalise for both items' frequencies."""
    votes = count_followers(sequences, catalog.n_items, config.window, lambda _: 1.0)
    return Floor(
        kind="knn",
        config=asdict(config),
        catalog_digest=catalog.digest,
        votes=share_out(votes, config.shrinkage, config.damping),
        prior=popularity_prior(sequences, catalog.n_items, config.prior),
        n_voters=config.history,
        decay=config.decay,
    )
