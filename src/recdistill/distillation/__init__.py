"""How a student learns: loss terms, objective, fusion, fitting."""

from recdistill.distillation._catalog_pass import Asked, catalog_pass
from recdistill.distillation._changes import CHANGED, StudentChanges
from recdistill.distillation._distil_student import (
    Assembly,
    Fusion,
    Teaching,
    assemble,
    distil_student,
    fit_assembly,
)
from recdistill.distillation._dros import DROS, DROSConfig
from recdistill.distillation._fusion import FusionConfig, fold_items, fuse_items
from recdistill.distillation._listwise import Listwise, ListwiseConfig
from recdistill.distillation._objective import DistillationObjective, Weighted
from recdistill.distillation._ranking import (
    Ranking,
    RankingConfig,
    RankingOptions,
    ReferenceRanking,
    position_weights,
)
from recdistill.distillation._registry import (
    TERMS,
    TermConfigs,
    TermInputs,
    build_term,
    sources_digest,
)
from recdistill.distillation._schedule import Annealing
from recdistill.distillation._terms import Answer, Question, Term

__all__ = [
    "CHANGED",
    "DROS",
    "TERMS",
    "Annealing",
    "Answer",
    "Asked",
    "Assembly",
    "DROSConfig",
    "DistillationObjective",
    "Fusion",
    "FusionConfig",
    "Listwise",
    "ListwiseConfig",
    "Question",
    "Ranking",
    "RankingConfig",
    "RankingOptions",
    "ReferenceRanking",
    "StudentChanges",
    "Teaching",
    "Term",
    "TermConfigs",
    "TermInputs",
    "Weighted",
    "assemble",
    "build_term",
    "catalog_pass",
    "distil_student",
    "fit_assembly",
    "fold_items",
    "fuse_items",
    "position_weights",
    "sources_digest",
]
