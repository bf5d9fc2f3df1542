"""Next-item kNN: like the counter, with a flat window, and rare and popular items held back."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from recdistill.floors._floor import Floor
from recdistill.floors._followers import count_followers, popularity_prior, share_out

if TYPE_CHECKING:
    from recdistill.data import Catalog, Sequences


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
