"""What teachers say: tables, pools, views, transfer sets, selection, inspection."""

from typing import TYPE_CHECKING

from recdistill._lazy import import_on_first_use

if TYPE_CHECKING:
    from recdistill.lessons._best import best_items
    from recdistill.lessons._config import (
        CONTROLS,
        MODEL_STAGES,
        NO_TABLE,
        Control,
        Policy,
        Selection,
        SelectionConfig,
        ViewsConfig,
        WeighBy,
    )
    from recdistill.lessons._controls import control_lessons
    from recdistill.lessons._dllm2rec import read_dllm2rec, write_dllm2rec
    from recdistill.lessons._export import export_table
    from recdistill.lessons._floor_lessons import floor_lessons
    from recdistill.lessons._inspection import Inspection, inspect_lessons
    from recdistill.lessons._join import join_tables
    from recdistill.lessons._label import label_views
    from recdistill.lessons._lessons import Lesson, Lessons, shuffled
    from recdistill.lessons._member_scores import MemberScores, member_scores
    from recdistill.lessons._out_of_fold import out_of_fold_scores
    from recdistill.lessons._pool import Pool, weigh
    from recdistill.lessons._positions import score_every_position, score_positions
    from recdistill.lessons._selection import (
        BaselineView,
        overlap,
        select,
        view_training,
    )
    from recdistill.lessons._sources import (
        Sources,
        find_sources,
        teacher_names,
        weighted_references,
        weights_input,
    )
    from recdistill.lessons._stacking import comparable, comparable_positions, stack, standardised
    from recdistill.lessons._table import TeacherTable
    from recdistill.lessons._table_writer import TableWriter
    from recdistill.lessons._teachers import (
        Teachers,
        item_vectors,
        open_teachers,
    )
    from recdistill.lessons._top_lists import collect_lessons
    from recdistill.lessons._transfer_set import load_transfer_set, save_transfer_set
    from recdistill.lessons._views import Views, draw_views
    from recdistill.lessons._worth import PoolWorth, judge_members, overlap_of_hits, weigh_by_ndcg

__all__ = [
    "CONTROLS",
    "MODEL_STAGES",
    "NO_TABLE",
    "BaselineView",
    "Control",
    "Inspection",
    "Lesson",
    "Lessons",
    "MemberScores",
    "Policy",
    "Pool",
    "PoolWorth",
    "Selection",
    "SelectionConfig",
    "Sources",
    "TableWriter",
    "TeacherTable",
    "Teachers",
    "Views",
    "ViewsConfig",
    "WeighBy",
    "best_items",
    "collect_lessons",
    "comparable",
    "comparable_positions",
    "control_lessons",
    "draw_views",
    "export_table",
    "find_sources",
    "floor_lessons",
    "inspect_lessons",
    "item_vectors",
    "join_tables",
    "judge_members",
    "label_views",
    "load_transfer_set",
    "member_scores",
    "open_teachers",
    "out_of_fold_scores",
    "overlap",
    "overlap_of_hits",
    "read_dllm2rec",
    "save_transfer_set",
    "score_every_position",
    "score_positions",
    "select",
    "shuffled",
    "stack",
    "standardised",
    "teacher_names",
    "view_training",
    "weigh",
    "weigh_by_ndcg",
    "weighted_references",
    "weights_input",
    "write_dllm2rec",
]

import_on_first_use(__name__)
