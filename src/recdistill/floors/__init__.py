"""Popularity, Markov, EASE, kNN, counter, texts: the cheap models a neural one must beat."""

from typing import TYPE_CHECKING

from recdistill._lazy import import_on_first_use

if TYPE_CHECKING:
    from recdistill.floors._config import (
        COUNTING_FLOORS,
        FLOOR_KINDS,
        REGRESSIONS,
        CounterConfig,
        EASEConfig,
        KNNConfig,
        MarkovConfig,
        PopularityConfig,
        TextEASEConfig,
        TfidfConfig,
    )
    from recdistill.floors._files import load_model, save_model
    from recdistill.floors._fit import (
        FloorConfig,
        count_on,
        fit_floor,
        refit,
        refit_without,
        window_of,
    )
    from recdistill.floors._floor import Floor

__all__ = [
    "COUNTING_FLOORS",
    "FLOOR_KINDS",
    "REGRESSIONS",
    "CounterConfig",
    "EASEConfig",
    "Floor",
    "FloorConfig",
    "KNNConfig",
    "MarkovConfig",
    "PopularityConfig",
    "TextEASEConfig",
    "TfidfConfig",
    "count_on",
    "fit_floor",
    "load_model",
    "refit",
    "refit_without",
    "save_model",
    "window_of",
]

import_on_first_use(__name__)
