"""The served model and the batch scorer.

A served model travels with a few files of this room, without the libraries that the others import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from recdistill._lazy import import_on_first_use

if TYPE_CHECKING:
    from recdistill.serving._challenge import challenge
    from recdistill.serving._drift import DriftLimits, Measure, drift
    from recdistill.serving._new_items import Package, find_student, package_student
    from recdistill.serving._package import gather_student, log_served_model
    from recdistill.serving._promotion import decide, settle, version_tags
    from recdistill.serving._reference import Reference, read_reference, write_reference
    from recdistill.serving._registry import Registry, Version, now
    from recdistill.serving._request_log import Logged, RequestLog, read_log
    from recdistill.serving._rules import CHAMPION, ChallengeRules, Limits
    from recdistill.serving._score import Scoring, Workforce, score
    from recdistill.serving._service import LiveModel, serve
    from recdistill.serving._story import write_story
    from recdistill.serving._top_k import TopK
    from recdistill.serving._traffic import Traffic
    from recdistill.serving._verdict import Check, Verdict

__all__ = [
    "CHAMPION",
    "ChallengeRules",
    "Check",
    "DriftLimits",
    "Limits",
    "LiveModel",
    "Logged",
    "Measure",
    "Package",
    "Reference",
    "Registry",
    "RequestLog",
    "Scoring",
    "TopK",
    "Traffic",
    "Verdict",
    "Version",
    "Workforce",
    "challenge",
    "decide",
    "drift",
    "find_student",
    "gather_student",
    "log_served_model",
    "now",
    "package_student",
    "read_log",
    "read_reference",
    "score",
    "serve",
    "settle",
    "version_tags",
    "write_reference",
    "write_story",
]

import_on_first_use(__name__)
