"""By which rules a challenger replaces the champion."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from recdistill.errors import UserError, require_choice
from recdistill.evaluation import Metric  # noqa: TC001 - read by the parser

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
"""Aliases of a registered model: who serves, who was judged last, who served before."""

STUDENTS = ("distill", "update", "train_baseline")
NEWEST = STUDENTS[:2]
"""Stages that make students, and those of them of which the newest is taken unasked."""

Undecided = Literal["keep", "replace"]


@dataclass(frozen=True)
class Limits:
    """What a challenger may cost, each as a multiple of the champion's.

    Attributes
    ----------
    size : float
        Bytes of the packaged student, which are about what it takes in memory.
    latency : float
        Median seconds of a request for one user.
    coverage : float
        Share of the catalog in anybody's top 10; the one limit that is a least.
    """

    size: float = 1.5
    latency: float = 1.5
    coverage: float = 0.8

    def __post_init__(self) -> None:
        for name in ("size", "latency", "coverage"):
            value = getattr(self, name)
            if not value >= 0 or math.isinf(value):
                raise UserError(
                    f"limits.{name} is {value}; it is a multiple of the champion's, such as 1.5."
                )


@dataclass(frozen=True)
class ChallengeRules:
    """When a challenger is good enough.

    Attributes
    ----------
    metric : "recall", "ndcg" or "mrr", at 10
    margin : float
        What may be lost over all test users, as a share of the champion's value.
    guard_margin : float
        The same for a guarded part of them, which is smaller.
    short_history : int
        Histories of at most so many items are guarded.
    undecided : "keep" or "replace"
        What happens when the test users are too few to show that no more than the margin is lost:
        the champion stays, or it goes when the measured loss is within the margin.
    """

    metric: Metric = "ndcg"
    margin: float = 0.02
    guard_margin: float = 0.1
    short_history: int = 5
    undecided: Undecided = "keep"
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        for name in ("margin", "guard_margin"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(
                    f"{name} is {getattr(self, name)}; it is a share of the champion's value, at "
                    "least 0 and below 1."
                )
        require_choice("undecided", self.undecided, Undecided)
