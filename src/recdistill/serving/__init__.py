"""The served model and the batch scorer.

Names are imported when they are first used: a served model travels with a few files of this room
and must not wait for (or even have) the training libraries that the others import.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recdistill.serving._names import ItemNames
    from recdistill.serving._package import gather_student, log_served_model
    from recdistill.serving._registry import Holder, holder_of, register
    from recdistill.serving._score import Scored, Scoring, Workforce, score
    from recdistill.serving._served_model import ServedModel
    from recdistill.serving._top_k import TopK

_HOMES = {
    "Holder": "_registry",
    "ItemNames": "_names",
    "Scored": "_score",
    "Scoring": "_score",
    "ServedModel": "_served_model",
    "TopK": "_top_k",
    "Workforce": "_score",
    "gather_student": "_package",
    "holder_of": "_registry",
    "log_served_model": "_package",
    "register": "_registry",
    "score": "_score",
}

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


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
