"""The served model and the batch scorer.

A served model travels with a few files of this room, without the libraries that the others import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from recdistill._lazy import import_on_first_use

if TYPE_CHECKING:
    from recdistill.serving._names import ItemNames
    from recdistill.serving._package import gather_student, log_served_model
    from recdistill.serving._registry import Holder, holder_of, register
    from recdistill.serving._score import Scored, Scoring, Workforce, score
    from recdistill.serving._served_model import ServedModel
    from recdistill.serving._top_k import TopK

__all__ = [
    "Holder",
    "ItemNames",
    "Scored",
    "Scoring",
    "ServedModel",
    "TopK",
    "Workforce",
    "gather_student",
    "holder_of",
    "log_served_model",
    "register",
    "score",
]

import_on_first_use(__name__)
