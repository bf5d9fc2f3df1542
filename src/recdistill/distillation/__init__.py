"""How a student learns: loss terms, objective, fusion, fitting."""

from typing import TYPE_CHECKING

from recdistill._lazy import import_on_first_use

if TYPE_CHECKING:
    from recdistill.distillation._catalog_pass import Asked, catalog_pass
    from recdistill.distillation._changes import StudentChanges
    from recdistill.distillation._config import (
        DROSConfig,
        FusionConfig,
        ListwiseConfig,
        RankingConfig,
        TermConfigs,
    )
    from recdistill.distillation._distil_student import (
        Teaching,
        distil_student,
    )
    from recdistill.distillation._dros import DROS
    from recdistill.distillation._from_settings import (
        ask_teachers,
        build_teaching,
        lessons_given,
        resolve_changes,
    )
    from recdistill.distillation._listwise import Listwise
    from recdistill.distillation._mistake_kinds import MISTAKES, Mistake
    from recdistill.distillation._objective import DistillationObjective
    from recdistill.distillation._on_views import distil_on_views
    from recdistill.distillation._ranking import Ranking
    from recdistill.distillation._reference_ranking import ReferenceRanking
    from recdistill.distillation._registry import (
        TermInputs,
        build_term,
        sources_digest,
    )
    from recdistill.distillation._schedule import Annealing
    from recdistill.distillation._settings import DistillSettings
    from recdistill.distillation._terms import Answer, Question, Term

__all__ = [
    "DROS",
    "MISTAKES",
    "Annealing",
    "Answer",
    "Asked",
    "DROSConfig",
    "DistillSettings",
    "DistillationObjective",
    "FusionConfig",
    "Listwise",
    "ListwiseConfig",
    "Mistake",
    "Question",
    "Ranking",
    "RankingConfig",
    "ReferenceRanking",
    "StudentChanges",
    "Teaching",
    "Term",
    "TermConfigs",
    "TermInputs",
    "ask_teachers",
    "build_teaching",
    "build_term",
    "catalog_pass",
    "distil_on_views",
    "distil_student",
    "lessons_given",
    "resolve_changes",
    "sources_digest",
]

import_on_first_use(__name__)
