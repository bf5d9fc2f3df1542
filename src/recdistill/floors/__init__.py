"""Popularity, Markov, EASE, kNN, counter, texts: the cheap models a neural one must beat."""

from recdistill.floors._counter import CounterConfig
from recdistill.floors._cross_fitting import cross_fitted_scores, user_folds
from recdistill.floors._ease import EASEConfig
from recdistill.floors._files import load_model, save_model
from recdistill.floors._fit import FloorConfig, config_of, fit_floor, refit, refit_without
from recdistill.floors._floor import FLOOR_KINDS, Floor, FloorKind
from recdistill.floors._knn import KNNConfig
from recdistill.floors._markov import MarkovConfig
from recdistill.floors._popularity import PopularityConfig
from recdistill.floors._text_ease import TextEASEConfig
from recdistill.floors._tfidf import TfidfConfig

__all__ = [
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
    "config_of",
    "cross_fitted_scores",
    "fit_floor",
    "load_model",
    "refit",
    "refit_without",
    "save_model",
    "user_folds",
]
