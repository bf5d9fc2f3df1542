"""Loss terms, sample selection, the distilling module."""

from recdistill.distillation._catalog_pass import Asked, catalog_pass
from recdistill.distillation._collect import collect_lessons
from recdistill.distillation._dros import DROS, DROSConfig
from recdistill.distillation._ensemble import (
    Ensemble,
    Pool,
    calibrated_scale,
    pick_weights,
    pool,
    standardised,
    weight_grid,
    weighted_sum,
)
from recdistill.distillation._floor_lessons import floor_lessons
from recdistill.distillation._fusion import FusionConfig, fold_items, fuse_items
from recdistill.distillation._inspection import Inspection, inspect_lessons
from recdistill.distillation._join import JoinReport, join_tables
from recdistill.distillation._label import label_views
from recdistill.distillation._lessons import Lesson, Lessons
from recdistill.distillation._listwise import Listwise, ListwiseConfig
from recdistill.distillation._log_linear_pool import LogLinearPool, weigh_on_validation
from recdistill.distillation._objective import DistillationObjective, Weighted
from recdistill.distillation._positions import score_every_position
from recdistill.distillation._ranking import (
    Ranking,
    RankingConfig,
    ReferenceRanking,
    position_weights,
)
from recdistill.distillation._registry import TERMS, Ground, TermConfigs, build_term, sources_digest
from recdistill.distillation._schedule import Annealing
from recdistill.distillation._selection import (
    BaselineView,
    Policy,
    SelectionConfig,
    overlap,
    select,
    view_training,
)
from recdistill.distillation._stacking import comparable, stack
from recdistill.distillation._student import Fusion, Teaching, distil_student
from recdistill.distillation._terms import Answer, Question, Term
from recdistill.distillation._transfer_set import TransferSet
from recdistill.distillation._views import Views, ViewsConfig, draw_views

__all__ = [
    "DROS",
    "TERMS",
    "Annealing",
    "Answer",
    "Asked",
    "BaselineView",
    "DROSConfig",
    "DistillationObjective",
    "Ensemble",
    "Fusion",
    "FusionConfig",
    "Ground",
    "Inspection",
    "JoinReport",
    "Lesson",
    "Lessons",
    "Listwise",
    "ListwiseConfig",
    "LogLinearPool",
    "Policy",
    "Pool",
    "Question",
    "Ranking",
    "RankingConfig",
    "ReferenceRanking",
    "SelectionConfig",
    "Teaching",
    "Term",
    "TermConfigs",
    "TransferSet",
    "Views",
    "ViewsConfig",
    "Weighted",
    "build_term",
    "calibrated_scale",
    "catalog_pass",
    "collect_lessons",
    "comparable",
    "distil_student",
    "draw_views",
    "floor_lessons",
    "fold_items",
    "fuse_items",
    "inspect_lessons",
    "join_tables",
    "label_views",
    "overlap",
    "pick_weights",
    "pool",
    "position_weights",
    "score_every_position",
    "select",
    "sources_digest",
    "stack",
    "standardised",
    "view_training",
    "weigh_on_validation",
    "weight_grid",
    "weighted_sum",
]
