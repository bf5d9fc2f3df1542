"""Popularity: everybody gets what most people took."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import torch

from recdistill.floors._floor import Floor
from recdistill.floors._followers import popularity_prior

if TYPE_CHECKING:
    from recdistill.data import Catalog, Sequences
    from recdistill.floors._config import PopularityConfig


def fit_popularity(sequences: Sequences, catalog: Catalog, config: PopularityConfig) -> Floor:
    """Count every item's interactions; the history makes no difference."""
    return Floor(
        kind="popularity",
        config=asdict(config),
        catalog_digest=catalog.digest,
        votes=torch.zeros(1, catalog.n_items + 1),
        prior=popularity_prior(sequences, catalog.n_items),
        n_voters=0,
        decay=1.0,
    )
