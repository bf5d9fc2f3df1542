"""Floors that count: popularity, Markov chain, counter, kNN. What came since is added to them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from recdistill.floors._config import (
    CounterConfig,
    KNNConfig,
    MarkovConfig,
    PopularityConfig,
)
from recdistill.floors._floor import Floor, Totals
from recdistill.floors._followers import count_followers, gathered, share_out
from recdistill.floors._votes import grown, without_remnants

if TYPE_CHECKING:
    from collections.abc import Callable

    from recdistill.data import Catalog, Sequences
    from recdistill.floors._config import FloorKind
    from recdistill.floors._votes import Votes

CountingConfig = PopularityConfig | MarkovConfig | CounterConfig | KNNConfig


@dataclass(frozen=True)
class Rule:
    """How a kind counts, and what it makes of the counts.

    Attributes
    ----------
    kind : FloorKind
    window : int
        Largest distance of a pair that is counted; 0 counts items alone.
    weight : callable
        Of a pair at a distance 1..window.
    shared : bool
        Whether an item shares its votes out, by ``shrinkage`` and ``damping``; else the counts are
        the votes.
    """

    kind: FloorKind
    window: int
    weight: Callable[[int], float] = lambda _: 1.0
    shared: bool = True
    shrinkage: float = 0.0
    damping: float = 0.0
    prior: float = 1.0
    n_voters: int = 0
    decay: float = 1.0

    def votes(self, followers: Votes) -> tuple[Votes, dict[str, torch.Tensor]]:
        """Share the counts out, in place; return the sums by which they were divided, too."""
        return (
            share_out(followers, self.shrinkage, self.damping) if self.shared else (followers, {})
        )


def rule_of(config: CountingConfig) -> Rule:
    """Return the rule of a kind with these settings."""
    match config:
        case PopularityConfig():
            return Rule("popularity", 0, shared=False)
        case MarkovConfig():
            # Only the newest item votes, so no row needs to be normalised.
            return Rule("markov", 1, shared=False, prior=config.prior, n_voters=1)
        case CounterConfig():
            # A decayed skip-gram: every item shares out one vote among those that followed closely.
            return Rule(
                "counter",
                config.window,
                lambda distance: 1 / distance,
                prior=config.prior,
                n_voters=config.history,
                decay=config.decay,
            )
        case KNNConfig():
            # A flat window; rare items and popular followers are held back.
            return Rule(
                "knn",
                config.window,
                shrinkage=config.shrinkage,
                damping=config.damping,
                prior=config.prior,
                n_voters=config.history,
                decay=config.decay,
            )


def fit_counting(sequences: Sequences, catalog: Catalog, config: CountingConfig) -> Floor:
    """Count items, and for all kinds but popularity who followed whom."""
    rule, n_items = rule_of(config), catalog.n_items
    return _floor(config, catalog, _taken(sequences, n_items), _followers(rule, sequences, n_items))


def add_counts(
    floor: Floor, config: CountingConfig, came: Sequences, went: Sequences, catalog: Catalog
) -> Floor:
    """Add what came to a counting floor, and take away what went: as counting all of it anew.

    Parameters
    ----------
    floor : Floor
        With ``totals``.
    config : CountingConfig
        That of ``floor``.
    came, went : Sequences
        Rows to count, and rows to take back. A history that goes on is counted from ``window``
        items before what is new, and those items alone are taken back: pairs of old items cancel.
    catalog : Catalog
        Grown from the floor's, or the same.

    Raises
    ------
    ValueError
        When the floor keeps no totals.
    """
    if floor.totals is None:
        raise ValueError(f"a floor of kind {floor.kind} without totals cannot be counted on")
    rule, n_items = rule_of(config), catalog.n_items
    old = np.pad(floor.totals.taken.numpy(), (0, n_items - floor.n_items))
    taken = old + _taken(came, n_items) - _taken(went, n_items)
    if not rule.window:
        return _floor(config, catalog, taken, floor.votes.new_zeros(1, n_items + 1))
    before = floor.votes
    if rule.shared:
        before = gathered(before, floor.totals, rule.shrinkage, rule.damping)
    followers = grown(before, n_items)
    followers = followers + _followers(rule, came, n_items) - _followers(rule, went, n_items)
    return _floor(config, catalog, taken, without_remnants(followers, rule.weight(rule.window)))


def _taken(sequences: Sequences, n_items: int) -> np.ndarray:
    return np.bincount(sequences.items, minlength=n_items + 1)


def _followers(rule: Rule, sequences: Sequences, n_items: int) -> Votes:
    if not rule.window:
        return torch.zeros(1, n_items + 1)
    return count_followers(sequences, n_items, rule.window, rule.weight)


def _floor(config: CountingConfig, catalog: Catalog, taken: np.ndarray, followers: Votes) -> Floor:
    """Make a floor of counts; the table of followers becomes its votes."""
    rule = rule_of(config)
    votes, sums = rule.votes(followers)
    prior = rule.prior * taken / max(taken.max(), 1)
    return Floor(
        kind=rule.kind,
        config=asdict(config),
        catalog_digest=catalog.digest,
        votes=votes,
        prior=torch.from_numpy(prior.astype(np.float32)),
        n_voters=rule.n_voters,
        decay=rule.decay,
        totals=Totals(torch.from_numpy(taken), **sums),
    )
