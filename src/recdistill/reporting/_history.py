"""What the tracking store knows of one test part: how noisy recipes are, how often it was seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from mlflow.exceptions import MlflowException

from recdistill.errors import UserError
from recdistill.evaluation import NOTHING_DRAWN, Metric, SeedNoise, boil_down, by_user, outcome
from recdistill.reporting._case_outcomes import K
from recdistill.reporting._groups import read_per_user
from recdistill.reporting._scored_run import SCORED, ScoredRun, scored_runs
from recdistill.runs import RECIPE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlflow import MlflowClient

    from recdistill.reporting._groups import Group

_TABLES_READ = 4
_COLUMNS = ("user", "n_above", "n_tied")


@dataclass(frozen=True)
class History:
    """Every run that met one test part, each once; runs that stood for another are not among them.

    Attributes
    ----------
    runs : newest first, of any status: a test part that was looked at was looked at.
    """

    runs: tuple[ScoredRun, ...] = ()
    _user_parts: dict[tuple[tuple[str, str], Metric], float] = field(
        default_factory=dict, repr=False
    )

    @property
    def n_looks(self) -> int:
        """How many models met this test part."""
        return len(self.runs)

    def noise(self, group: Group, metric: Metric) -> SeedNoise | None:
        """How far trainings of the group's recipe lie apart, from all that were ever finished.

        A seed that was run several times counts once. The code may have changed in between: that
        adds to the spread and makes tests more careful.

        Returns
        -------
        SeedNoise, or None where neither the store nor the group has two trainings.
        """
        if group.is_floor:
            return NOTHING_DRAWN
        own = group.trainings(metric).noise()
        known = self._trainings_of(group.newest)
        if len(known) < 2 or len(known) <= len(group.runs):
            return own
        values = [run.reference.metrics[f"test/{metric}_at_{K}"] for run in known]
        user_part = own.user_part if own else self._user_part(known, metric)
        return SeedNoise(
            float(np.var(values, ddof=1)), user_part, float(len(known) - 1), len(known)
        )

    def tried_before(self, group: Group) -> int:
        """Count other settings of the group's kind that met the test part before its first run.

        What one command started side by side was chosen before any of it met the test part.
        """
        first = min(group.runs, key=lambda run: run.started)
        return len(
            {
                run.key
                for run in self.runs
                if run.started < first.started
                and not (run.parent and run.parent == first.parent)
                and (run.stage, run.model) == (first.stage, first.model)
                and run.key != first.key
            }
        )

    def _trainings_of(self, like: ScoredRun) -> list[ScoredRun]:
        by_seed: dict[str, ScoredRun] = {}
        for run in self.runs:
            same = run.key == like.key and run.finished and run.protocol == like.protocol
            if same and run.seed:
                by_seed.setdefault(run.seed, run)
        return list(by_seed.values())

    def _user_part(self, runs: Sequence[ScoredRun], metric: Metric) -> float:
        """Read some of the runs' per-user tables; without them 0, which is the careful side."""
        name = (runs[0].key, metric)
        if name not in self._user_parts:
            tables = []
            for run in runs[:_TABLES_READ]:
                try:
                    tables.append(read_per_user(run, _COLUMNS))
                except (MlflowException, OSError, UserError):  # removed by retention
                    continue
            found = 0.0
            if len({table.attrs.get("cases_digest") for table in tables}) == 1 < len(tables):
                users = tables[0]["user"].to_numpy()
                noise = boil_down(by_user(outcome(t, metric, K), users) for t in tables).noise()
                found = noise.user_part if noise else 0.0
            self._user_parts[name] = found
        return self._user_parts[name]


def read_history(client: MlflowClient, run: ScoredRun) -> History:
    """Find every run that met the test part that ``run`` met."""
    return _history(client, run, [""])


def read_history_of_recipes(client: MlflowClient, runs: Sequence[ScoredRun]) -> History:
    """Find the runs of these recipes on the same test part: enough for noise, not for looks."""
    recipes = {run.reference.tags.get(RECIPE) for run in runs} - {None}
    return _history(client, runs[0], [f" AND tags.`{RECIPE}` = '{one}'" for one in recipes])


def _history(client: MlflowClient, run: ScoredRun, conditions: Sequence[str]) -> History:
    split = run.data[1]
    if not split:
        return History()
    met = f"tags.`split.digest` = '{split}' AND metrics.`{SCORED}` >= 0"
    found = [one for more in conditions for one in scored_runs(client, met + more)]
    return History(tuple(sorted(found, key=lambda one: -one.started)))
