"""SASRec, LiGR, HSTU, GRU4Rec: interaction ids in, item scores out.

This room needs torch and nothing of training: the served model travels with it.
"""

from typing import TYPE_CHECKING

from recdistill._lazy import import_on_first_use

if TYPE_CHECKING:
    from recdistill.students._append import append_items
    from recdistill.students._build import build_student
    from recdistill.students._config import (
        STUDENT_KINDS,
        Architecture,
        Positions,
        StudentConfig,
        StudentKind,
    )
    from recdistill.students._growth import NewRows, grow_student, new_items
    from recdistill.students._gru4rec import GRU4Rec
    from recdistill.students._hstu import HSTU
    from recdistill.students._item_content import ItemKind
    from recdistill.students._item_table import (
        add_text,
        fold_text,
        item_embedding,
    )
    from recdistill.students._ligr import LiGR
    from recdistill.students._model import SequentialModel
    from recdistill.students._query_time import QueryTime, require_no_times
    from recdistill.students._recommender import (
        StudentRecommender,
        load_model,
        read_student,
        save_model,
    )
    from recdistill.students._sasrec import SASRec
    from recdistill.students._score import score_histories
    from recdistill.students._times import (
        ReadsTimes,
        Times,
        encode_at,
        times_of,
    )

__all__ = [
    "HSTU",
    "STUDENT_KINDS",
    "Architecture",
    "GRU4Rec",
    "ItemKind",
    "LiGR",
    "NewRows",
    "Positions",
    "QueryTime",
    "ReadsTimes",
    "SASRec",
    "SequentialModel",
    "StudentConfig",
    "StudentKind",
    "StudentRecommender",
    "Times",
    "add_text",
    "append_items",
    "build_student",
    "encode_at",
    "fold_text",
    "grow_student",
    "item_embedding",
    "load_model",
    "new_items",
    "read_student",
    "require_no_times",
    "save_model",
    "score_histories",
    "times_of",
]

import_on_first_use(__name__)
