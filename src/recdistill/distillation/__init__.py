"""How a student learns: loss terms, objective, fusion, fitting."""

from recdistill.distillation._catalog_pass import Asked, catalog_pass
from recdistill.distillation._distil_student import Fusion, Teaching, distil_student
from recdistill.distillation._dros import DROS, DROSConfig
from recdistill.distillation._fusion import FusionConfig, fold_items, fuse_items
from recdistill.distillation._listwise import Listwise, ListwiseConfig
from recdistill.distillation._objective import DistillationObjective, Weighted
from recdistill.distillation._ranking import (
    Ranking,
    RankingConfig,
    ReferenceRanking,
    position_weights,
)
from recdistill.distillation._registry import TERMS, Ground, TermConfigs, build_term, sources_digest
from recdistill.distillation._schedule import Annealing
from recdistill.distillation._terms import Answer, Question, Term

__all__ = [
    "DROS",
    "TERMS",
    "Annealing",
    "Answer",
    "Asked",
    "DROSConfig",
    "DistillationObjective",
    "Fusion",
    "FusionConfig",
    "Ground",
    "Listwise",
    "ListwiseConfig",
    "Question",
    "Ranking",
    "RankingConfig",
    "ReferenceRanking",
    "Teaching",
    "Term",
    "TermConfigs",
    "Weighted",
    "build_term",
    "catalog_pass",
    "distil_student",
    "fold_items",
    "fuse_items",
    "position_weights",
    "sources_digest",
]
