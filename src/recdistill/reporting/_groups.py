"""Runs that differ only in their seed are one line of a report."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException

from recdistill.errors import UserError
from recdistill.evaluation import Clusters, protocols_differ
from recdistill.reporting._case_outcomes import CaseOutcomes, boil_cases
from recdistill.runs import fetch_artifact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recdistill.evaluation import Metric, Trainings
    from recdistill.reporting._scored_run import ScoredRun

PER_USER = "evaluation/per_user.parquet"
_MUST_AGREE = {
    "protocol": "evaluation protocols",
    "catalog_digest": "catalogs",
    "cases_digest": "test cases",
}
_RANKS = ("user", "target", "n_above", "n_tied")
_IN_LABEL = 3


@dataclass(frozen=True)
class Group:
    """One model in all its seeds, with what each seed did to every test user.

    Attributes
    ----------
    label : short, unique within a report.
    runs : the runs, one per seed.
    cases : what is known of each test case, one row a case: ``user``, ``target`` and their
        attributes as in `Evaluation.per_user`, without any model's ranks; all groups of a report
        share it.
    outcomes : of all seeds, on these cases.
    """

    label: str
    runs: tuple[ScoredRun, ...]
    cases: pd.DataFrame = field(repr=False)
    outcomes: CaseOutcomes = field(repr=False)

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
        return len(self.cases)

    @property
    def n_users(self) -> int:
        """Number of test users, of whom some may have several cases."""
        return self.trainings("recall").n_users

    def trainings(self, metric: Metric) -> Trainings:
        """Return what the test of recipes needs of a metric at `K`, over users."""
        return self.outcomes.over_users[metric]

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
    labels = _labels(list(members.values()))
    return read_groups(list(zip(labels, members.values(), strict=True)))


def read_groups(named: Sequence[tuple[str, Sequence[ScoredRun]]]) -> list[Group]:
    """Read the per-user tables of each recipe's runs; those of one recipe at a time are held.

    Parameters
    ----------
    named : label and runs of each recipe.

    Raises
    ------
    UserError
        When the tables do not hold the same cases under the same protocol, naming the two runs, or
        one is not a table of ours.
    """
    first = named[0][1][0]
    cases = _without_ranks(read_per_user(first))
    targets, users = (Clusters(cases[column].to_numpy()) for column in ("target", "user"))
    groups = []
    for label, runs in named:
        tables = [read_per_user(run, _RANKS) for run in runs]
        for run, table in zip(runs, tables, strict=True):
            _require_same_cases(first, cases, run, table)
        groups.append(Group(label, tuple(runs), cases, boil_cases(tables, targets, users)))
    return groups


def read_per_user(run: ScoredRun, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read what the run's model did to every test user: all columns, or some."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    wanted = None if columns is None else list(columns)
    try:
        # By address, not by run id: that would ask the store several times for each run.
        path = fetch_artifact(f"{run.artifact_uri}/{PER_USER}")
    except (MlflowException, OSError):
        path = run.reference.artifact(PER_USER)
    try:
        return pd.read_parquet(path, columns=wanted)
    except ValueError as error:  # pyarrow's own are of this kind
        raise UserError(
            f"The per-user table of run '{run.name}' ({run.id[:8]}) cannot be read "
            f"({' '.join(str(error).split())[:80]}): run evaluate on its model again."
        ) from None


def _without_ranks(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(columns=[name for name in table if str(name).startswith("n_")])


def _require_same_cases(
    first: ScoredRun, cases: pd.DataFrame, run: ScoredRun, table: pd.DataFrame
) -> None:
    """Refuse a table measured on other cases or under another protocol, naming both runs."""
    for key, words in _MUST_AGREE.items():
        if not table.attrs.get(key):
            raise UserError(
                f"Run '{run.name}' ({run.id[:8]}) cannot be compared: its per-user table does not "
                f"say which {words} it is of; run evaluate on its model again."
            )
    if table.attrs["protocol"] != (protocol := cases.attrs.get("protocol", "")):
        raise UserError(
            f"Runs '{first.name}' ({first.id[:8]}) and '{run.name}' ({run.id[:8]}) cannot be "
            f"compared: {protocols_differ(str(protocol), str(table.attrs['protocol']))}."
        )
    differ = [
        f"different {words} ('{cases.attrs.get(key, '')}' and '{table.attrs.get(key, '')}')"
        for key, words in _MUST_AGREE.items()
        if table.attrs[key] != cases.attrs.get(key)
    ]
    differ += [
        f"{column}s that differ although their digests agree: a table was edited or reordered"
        for column in ("user", "target")
        if not np.array_equal(cases[column].to_numpy(), table[column].to_numpy())
    ]
    if differ:
        raise UserError(
            f"Runs '{first.name}' ({first.id[:8]}) and '{run.name}' ({run.id[:8]}) cannot be "
            f"compared: they were evaluated under {differ[0]}; run evaluate on both models again."
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
