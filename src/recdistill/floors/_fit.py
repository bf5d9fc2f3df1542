"""One way to fit any floor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from recdistill.errors import UserError
from recdistill.floors._config import (
    CounterConfig,
    EASEConfig,
    KNNConfig,
    MarkovConfig,
    PopularityConfig,
    TextEASEConfig,
    TfidfConfig,
)
from recdistill.floors._counting import CountingConfig, add_counts, fit_counting, rule_of
from recdistill.floors._ease import fit_ease, refit_ease_without
from recdistill.floors._text_ease import fit_text_ease
from recdistill.floors._tfidf import fit_tfidf, with_prior_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from recdistill.data import Catalog, Sequences
    from recdistill.floors._floor import Floor

FloorConfig = CountingConfig | EASEConfig | TfidfConfig | TextEASEConfig

# Kind -> its config and its fit.
_FITS: dict[str, tuple[type[FloorConfig], Callable[[Sequences, Catalog, Any], Floor]]] = {
    "popularity": (PopularityConfig, fit_counting),
    "markov": (MarkovConfig, fit_counting),
    "ease": (EASEConfig, fit_ease),
    "knn": (KNNConfig, fit_counting),
    "counter": (CounterConfig, fit_counting),
    "tfidf": (TfidfConfig, fit_tfidf),
    "ease_text": (TextEASEConfig, fit_text_ease),
}


def fit_floor(
    kind: str, sequences: Sequences, catalog: Catalog, config: FloorConfig | None = None
) -> Floor:
    """Fit a floor on training sequences.

    Parameters
    ----------
    kind : popularity, markov, ease, knn, counter, tfidf or ease_text
    sequences : Sequences of n_users rows
    catalog : Catalog
        Where the sequences' item ids come from.
    config : the kind's own config
        Its defaults where left out.

    Raises
    ------
    UserError
        For a kind that does not exist, a config of another kind, or nothing to learn from.
    """
    if kind not in _FITS:
        raise UserError(f"There is no floor {kind!r}: take one of {', '.join(_FITS)}.")
    config_type, fit = _FITS[kind]
    config = config_type() if config is None else config
    if not isinstance(config, config_type):
        raise UserError(
            f"The floor {kind!r} takes a {config_type.__name__}, not a {type(config).__name__}."
        )
    if len(sequences.items) == 0:
        raise UserError("The training part holds no interaction, so no floor can be fitted to it.")
    return fit(sequences, catalog, config)


def config_of(floor: Floor) -> FloorConfig:
    """Return the settings a floor was fitted with, in their own type."""
    return _FITS[floor.kind][0](**floor.config)


def refit(floor: Floor, sequences: Sequences, catalog: Catalog) -> Floor:
    """Fit a floor like ``floor``, its kind and settings, on other sequences."""
    if floor.kind == "tfidf" and floor.catalog_digest == catalog.digest:
        return with_prior_of(floor, cast("TfidfConfig", config_of(floor)), sequences)
    return fit_floor(floor.kind, sequences, catalog, config_of(floor))


def count_on(floor: Floor, came: Sequences, went: Sequences, catalog: Catalog) -> Floor:
    """Add what came to a floor that counts; see ``add_counts``, and ``window_of`` for the rows."""
    return add_counts(floor, cast("CountingConfig", config_of(floor)), came, went, catalog)


def window_of(floor: Floor) -> int | None:
    """Return how many steps apart a floor counts pairs; None for one that cannot count on."""
    if floor.totals is None:
        return None
    return rule_of(cast("CountingConfig", config_of(floor))).window


def refit_without(
    floor: Floor, sequences: Sequences, users: NDArray[np.int64], catalog: Catalog
) -> Floor:
    """Fit a floor like ``floor`` on the rows of all users but some.

    Parameters
    ----------
    floor : Floor
        Fitted on ``sequences``. EASE is not solved anew where few users leave, unless an older
        version saved it.
    sequences : Sequences of n_users rows
    users : rows to leave out
    catalog : Catalog
    """
    known = floor.kind == "ease" and floor.inverse_diagonal is not None
    if known and 2 * len(users) <= catalog.n_items:
        config = cast("EASEConfig", config_of(floor))
        return refit_ease_without(floor, config, sequences, users, catalog)
    others = np.setdiff1d(np.arange(len(sequences)), users)
    return refit(floor, sequences.take(others), catalog)
