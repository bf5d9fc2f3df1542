"""Popularity, Markov, EASE, kNN, counter, texts: the cheap models a neural one must beat."""

from typing import TYPE_CHECKING

from recdistill._lazy import import_on_first_use

if TYPE_CHECKING:
    from recdistill.floors._config import (
        COUNTING_FLOORS,
        FLOOR_KINDS,
        CounterConfig,
        EASEConfig,
        FloorKind,
        KNNConfig,
        MarkovConfig,
        PopularityConfig,
        TextEASEConfig,
        TfidfConfig,
    )
    from recdistill.floors._cross_fitting import cross_fitted_scores, user_folds
    from recdistill.floors._files import load_model, save_model
    from recdistill.floors._fit import (
        FloorConfig,
        count_on,
        fit_floor,
        refit,
        refit_without,
        window_of,
    )
    from recdistill.floors._floor import Floor, Totals

__all__ = [
    "COUNTING_FLOORS",
    "FLOOR_KINDS",
    "CounterConfig",
    "EASEConfig",
    "Floor",
    "FloorConfig",
    "FloorKind",
    "KNNConfig",
    "MarkovConfig",
    "PopularityConfig",
    "TextEASEConfig",
    "TfidfConfig",
    "Totals",
    "count_on",
    "cross_fitted_scores",
    "fit_floor",
    "load_model",
    "refit",
    "refit_without",
    "save_model",
    "user_folds",
    "window_of",
]

import_on_first_use(__name__)
