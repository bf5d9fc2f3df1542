"""Runs that differ only in their seed are one line of a report."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException

from recdistill.errors import UserError
from recdistill.evaluation import Metric, Trainings, boil_down, outcome
from recdistill.runs import fetch_artifact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from recdistill.reporting._scored_run import ScoredRun

PER_USER = "evaluation/per_user.parquet"
_MUST_AGREE = {
    "protocol": "evaluation protocols",
    "catalog_digest": "catalogs",
    "cases_digest": "test cases",
}
_IN_LABEL = 3


@dataclass(frozen=True)
class Group:
    """One model in all its seeds, with what each seed did to every test user.

    Attributes
    ----------
    label : short, unique within a report.
    runs : the runs, one per seed.
    tables : per-user tables (`Evaluation.per_user`) in the order of ``runs``; rows of all groups of
        a report are the same cases in the same order.
    """

    label: str
    runs: tuple[ScoredRun, ...]
    tables: tuple[pd.DataFrame, ...] = field(repr=False)
    _boiled: dict[tuple[str, int], Trainings] = field(default_factory=dict, repr=False)

    @property
    def newest(self) -> ScoredRun:
        """The newest run, which speaks for what all have in common."""
        return self.runs[0]

    @property
    def is_floor(self) -> bool:
        """Whether this is one of the cheap models."""
        return self.newest.is_floor

    @property
    def seeds(self) -> list[str]:
        """Seeds in order; runs without one are left out."""
        return sorted({run.seed for run in self.runs if run.seed}, key=lambda s: (len(s), s))

    @property
    def n_cases(self) -> int:
        """Number of test cases."""
        return len(self.tables[0])

    def outcomes(self, metric: Metric, k: int) -> NDArray[np.float64]:
        """Metric of every case under every seed, shape [n_seeds, n_cases]."""
        return np.stack([outcome(table, metric, k) for table in self.tables])

    def trainings(self, metric: Metric, k: int) -> Trainings:
        """Return what the test of recipes needs of the metric; computed once."""
        if (metric, k) not in self._boiled:
            self._boiled[metric, k] = boil_down(outcome(t, metric, k) for t in self.tables)
        return self._boiled[metric, k]

    @property
    def shared_source(self) -> str:
        """Id of the one transfer set or table that all seeds learned from; empty otherwise."""
        if len(self.runs) < 2:
            return ""
        tags = [run.reference.tags for run in self.runs]
        sources = {t.get("transfer_run_id") or t.get("table_run_id", "") for t in tags}
        return sources.pop() if len(sources) == 1 else ""

    def metric(self, name: str) -> float:
        """Mean of a logged metric over the runs that logged it; NaN when none did."""
        values = [r.reference.metrics[name] for r in self.runs if name in r.reference.metrics]
        return float(np.mean(values)) if values else float("nan")


def load_groups(runs: Sequence[ScoredRun]) -> list[Group]:
    """Read the per-user tables and put runs that differ only in their seed together.

    A seed that was run twice with equal settings (as after a change of the code) does not count
    twice: the older runs form a group of their own.

    Parameters
    ----------
    runs : newest first.

    Raises
    ------
    UserError
        When the tables do not hold the same cases under the same protocol, naming the two runs.
    """
    members: dict[tuple[str, str, int], list[ScoredRun]] = {}
    times: dict[tuple[str, str, str], int] = {}
    for run in runs:
        nth = times[(*run.key, run.seed)] = times.get((*run.key, run.seed), -1) + 1
        members.setdefault((*run.key, nth), []).append(run)
    tables = {run.id: read_per_user(run) for run in runs}
    require_same_cases(runs, tables)
    labels = _labels(list(members.values()))
    return [
        Group(label, tuple(group), tuple(tables[run.id] for run in group))
        for label, group in zip(labels, members.values(), strict=True)
    ]


def read_per_user(run: ScoredRun) -> pd.DataFrame:
    """Read what the run's model did to every test user."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    try:
        # By address, not by run id: that would ask the store several times for each run.
        return pd.read_parquet(fetch_artifact(f"{run.artifact_uri}/{PER_USER}"))
    except (MlflowException, OSError):
        return pd.read_parquet(run.reference.artifact(PER_USER))


def require_same_cases(runs: Sequence[ScoredRun], tables: dict[str, pd.DataFrame]) -> None:
    """Refuse tables measured on other cases or under another protocol, naming the runs."""
    first = runs[0]
    for key, words in _MUST_AGREE.items():
        value = tables[first.id].attrs.get(key, "")
        for run in runs[1:]:
            theirs = tables[run.id].attrs.get(key, "")
            if theirs != value:
                raise UserError(
                    f"Runs '{first.name}' ({first.id[:8]}) and '{run.name}' ({run.id[:8]}) cannot "
                    f"be compared: they were evaluated under different {words} ('{value}' and "
                    f"'{theirs}'); run evaluate on both models again."
                )


def differing_settings(groups: Sequence[Sequence[ScoredRun]]) -> dict[str, list[str]]:
    """Find settings that are not the same everywhere: name -> value per group, empty where not set.

    A setting that only some stages have counts as differing only among those that have it.
    """
    settings = [group[0].settings for group in groups]
    names = sorted({name for one in settings for name in one})
    return {
        name: [one.get(name, "") for one in settings]
        for name in names
        if len({one[name] for one in settings if name in one}) > 1
    }


def _labels(groups: Sequence[Sequence[ScoredRun]]) -> list[str]:
    """Label groups by their model's kind, then by the settings that differ within it."""
    labels = [group[0].model for group in groups]
    for model in {label for label in labels if labels.count(label) > 1}:
        alike = [i for i, group in enumerate(groups) if group[0].model == model]
        differing = differing_settings([groups[i] for i in alike])
        for i in alike:
            own = {name: groups[i][0].settings.get(name, "-") for name in differing}
            told = ", ".join(f"{n.split('.')[-1]}={v}" for n, v in list(own.items())[:_IN_LABEL])
            labels[i] = f"{model} ({told})" if told else model
    for i, group in enumerate(groups):
        if labels.count(labels[i]) > 1:
            labels[i] = f"{labels[i]} {group[0].name} {group[0].id[:6]}"
    return labels
