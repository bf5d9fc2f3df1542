"""Loss terms, sample selection, the distilling module."""

from recdistill.distillation._catalog_pass import Asked, catalog_pass
from recdistill.distillation._dros import DROS, DROSConfig
from recdistill.distillation._lessons import Lesson, Lessons
from recdistill.distillation._listwise import Listwise, ListwiseConfig
from recdistill.distillation._objective import DistillationObjective, Weighted
from recdistill.distillation._ranking import Ranking, RankingConfig, ReferenceRanking
from recdistill.distillation._registry import TERMS, Ground, TermConfigs, build_term
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
    "Ground",
    "Lesson",
    "Lessons",
    "Listwise",
    "ListwiseConfig",
    "Question",
    "Ranking",
    "RankingConfig",
    "ReferenceRanking",
    "Term",
    "TermConfigs",
    "Weighted",
    "build_term",
    "catalog_pass",
]
