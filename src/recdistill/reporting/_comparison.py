"""From groups of runs to everything a report says: the numbers, the tests, what follows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from recdistill.errors import UserError
from recdistill.evaluation import SeedNoise, hits_interval, spread_over_users
from recdistill.reporting._case_outcomes import HEADLINE, SHOWN
from recdistill.reporting._contrast import (
    Contrast,
    Resampling,
    adjust_for_all,
    contrast,
    mean_interval,
)
from recdistill.reporting._history import History
from recdistill.reporting._reach import Reach, reach_of_students

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recdistill.reporting._groups import Group

ALPHA = 0.05


@dataclass(frozen=True)
class Estimate:
    """A mean over users with its 95 % interval, and the lowest and highest single seed."""

    mean: float
    low: float
    high: float
    worst_seed: float
    best_seed: float


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    group: Group
    estimates: dict[str, Estimate]
    hits: float
    fit_seconds: float
    peak_mb: float
    noise: dict[str, SeedNoise | None] = field(default_factory=dict)
    against_reference: dict[str, Contrast] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The group's label."""
        return self.group.label


@dataclass(frozen=True)
class Comparison:
    """Everything a report shows.

    Attributes
    ----------
    rows : best recall@10 first.
    reference : what the column of differences is taken against.
    best_floor : the floor with the highest recall@10, None when no floor was run.
    against_floor : label of a model that is no floor -> its contrasts against ``best_floor``.
    n_tests : how many p-values were corrected for together.
    resampling : how often was drawn.
    history : what the tracking store knows of this test part.
    level : below which a corrected p-value decides; 0.05, or that over the number of looks.
    reaches : every student beside its teachers.
    """

    rows: tuple[Row, ...]
    reference: Group
    best_floor: Group | None
    against_floor: dict[str, dict[str, Contrast]]
    n_tests: int
    resampling: Resampling
    history: History = field(default_factory=History)
    level: float = ALPHA
    reaches: tuple[Reach, ...] = ()

    @property
    def n_cases(self) -> int:
        """Test cases, the same for every row."""
        return self.reference.n_cases

    @property
    def n_users(self) -> int:
        """Users whose cases these are."""
        return self.reference.n_users

    def row(self, label: str) -> Row:
        """Return the row of a group."""
        return next(row for row in self.rows if row.label == label)


def compare_groups(
    groups: Sequence[Group],
    *,
    reference_id: str = "",
    resampling: Resampling | None = None,
    history: History | None = None,
    correct_for_looks: bool = False,
    margin: float = 0.0,
) -> Comparison:
    """Measure every group, and test each against the reference and the best floor.

    Methods are tested over users and trainings where the groups have several seeds, or the history
    knows their recipes' noise; otherwise two trained models are, over users.

    Every p-value of the report, over models, metrics and both questions (better than the reference?
    than the best floor?), is corrected together by Holm's method.

    Parameters
    ----------
    groups : newest run first, as from `load_groups`.
    reference_id : id of a run whose group is the reference; else the newest neural baseline, else
        the best floor.
    history : what the store knows of this test part, as from `read_history`.
    correct_for_looks : divide the level by the number of models that met the test part.
    margin : shortfall in the metric that still counts as reaching the teachers; 0 takes half of
        what the teachers gain over the reference.

    Raises
    ------
    UserError
        When there are fewer than two groups.
    """
    if len(groups) < 2:
        raise UserError(
            f"Only one model was selected ('{groups[0].label}', "
            f"{len(groups[0].runs)} run(s)), and no floor was run on its data: there is nothing to "
            "compare it with; start one with: mlflow run . -e train_baseline -P model=counter"
        )
    resampling = (resampling or Resampling()).for_groups(len(groups))
    history = history or History()
    level = ALPHA / max(1, history.n_looks) if correct_for_looks else ALPHA
    recall = {group.label: group.trainings("recall").mean for group in groups}
    floors = [group for group in groups if group.is_floor]
    best_floor = max(floors, key=lambda g: recall[g.label], default=None)
    reference = _reference(groups, reference_id, best_floor)

    pairs = [(g, reference) for g in groups if g is not reference]
    if best_floor is not None and best_floor is not reference:
        pairs += [(g, best_floor) for g in groups if not g.is_floor]
    tested = [
        contrast(of, against, m, resampling, history) for of, against in pairs for m in HEADLINE
    ]
    tested = adjust_for_all(tested)
    found: dict[tuple[str, str], dict[str, Contrast]] = {}
    for one in tested:
        found.setdefault((one.of, one.against), {})[one.metric] = one

    rows = [_row(g, found.get((g.label, reference.label), {}), resampling, history) for g in groups]
    against_floor = {
        g.label: found[(g.label, best_floor.label)]
        for g in groups
        if best_floor is not None and not g.is_floor and g is not best_floor
        if (g.label, best_floor.label) in found
    }
    return Comparison(
        rows=tuple(sorted(rows, key=lambda row: -row.estimates["recall"].mean)),
        reference=reference,
        best_floor=best_floor,
        against_floor=against_floor,
        n_tests=len(tested),
        resampling=resampling,
        history=history,
        level=level,
        reaches=tuple(
            reach_of_students(
                groups, reference, HEADLINE, history, margin=margin, confidence=1 - level
            )
        ),
    )


def _reference(groups: Sequence[Group], run_id: str, best_floor: Group | None) -> Group:
    if run_id:
        return next(g for g in groups if run_id in {run.id for run in g.runs})
    baselines = [g for g in groups if g.newest.stage == "train_baseline" and not g.is_floor]
    newest = max(baselines, key=lambda g: g.newest.started, default=None)
    return newest or best_floor or groups[-1]


def _row(
    group: Group, contrasts: dict[str, Contrast], resampling: Resampling, history: History
) -> Row:
    estimates: dict[str, Estimate] = {}
    users = group.cases["user"].to_numpy()
    for metric in SHOWN:
        trainings = group.trainings(metric)
        per_user, per_seed = trainings.user_means, trainings.seed_means
        if metric == "recall" and group.n_users == group.n_cases:
            low, high = hits_interval(float(per_user.sum()), len(per_user))
        else:
            values = spread_over_users(group.outcomes.of_cases[metric], users)
            low, high = mean_interval(values, resampling)
        estimates[metric] = Estimate(
            float(per_user.mean()), low, high, float(per_seed.min()), float(per_seed.max())
        )
    return Row(
        group=group,
        estimates=estimates,
        hits=round(group.trainings("recall").mean * group.n_cases, 6),
        fit_seconds=group.metric("time/fit_seconds"),
        peak_mb=peak_mb(group),
        noise={metric: history.noise(group, metric) for metric in HEADLINE},
        against_reference=contrasts,
    )


def peak_mb(group: Group) -> float:
    """Highest memory of the fit: the accelerator's where it was used, else the process's."""
    allocated = group.metric("memory/fit_peak_allocated_mb")
    return group.metric("memory/fit_peak_rss_mb") if np.isnan(allocated) else allocated
