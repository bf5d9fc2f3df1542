"""Does a student reach its teachers? A margin decides, not a missing significance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recdistill.evaluation import NOTHING_DRAWN, Metric, compare_recipes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recdistill.reporting._groups import Group
    from recdistill.reporting._history import History

_TEACHERS = ("transfer_run_id", "teacher_run_id")


@dataclass(frozen=True)
class Reach:
    """A student beside the very teachers it learned from.

    Attributes
    ----------
    of, against : labels.
    delta, low, high : student minus teachers, the interval over users and the student's trainings;
        the teachers are these ones and count as given.
    margin : shortfall that counts as none; ``stated`` says whether it was given, else it is half of
        what the teachers gain over the reference. None where they gain nothing.
    known : whether the student's seed noise is known; without it there is no interval.
    """

    of: str
    against: str
    metric: Metric
    delta: float
    low: float
    high: float
    margin: float | None
    stated: bool
    known: bool

    @property
    def reaches(self) -> bool:
        """Whether the interval lies above minus the margin."""
        return self.known and self.margin is not None and self.low > -self.margin

    @property
    def equal(self) -> bool:
        """Whether the interval lies inside the margin on both sides."""
        return self.reaches and self.margin is not None and self.high < self.margin


def reach_of_students(
    groups: Sequence[Group],
    reference: Group,
    metrics: Sequence[Metric],
    history: History,
    *,
    margin: float,
    confidence: float,
) -> list[Reach]:
    """Measure every student beside its teachers, where these are in the report too."""
    found = []
    for student in groups:
        teachers = _teachers_of(student, groups)
        if teachers is None:
            continue
        for metric in metrics:
            a, b = student.trainings(metric), teachers.trainings(metric)
            gain = b.mean - reference.trainings(metric).mean
            noise = history.noise(student, metric)
            test = compare_recipes(
                a, b, noise_a=noise or NOTHING_DRAWN, noise_b=NOTHING_DRAWN, confidence=confidence
            )
            found.append(
                Reach(
                    of=student.label,
                    against=teachers.label,
                    metric=metric,
                    delta=test.delta,
                    low=test.low,
                    high=test.high,
                    margin=margin or (gain / 2 if gain > 0 else None),
                    stated=margin > 0,
                    known=noise is not None,
                )
            )
    return found


def _teachers_of(student: Group, groups: Sequence[Group]) -> Group | None:
    if not student.newest.is_student:
        return None
    tags = student.newest.reference.tags
    for tag in _TEACHERS:
        ids = set(tags.get(tag, "").split(",")) - {""}
        for group in groups:
            if group is not student and ids & {run.id for run in group.runs}:
                return group
    return None
