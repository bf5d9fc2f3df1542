"""The baseline of a stage, and its settings from the recipe that is saved with its model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recdistill.config import parse, stage_module
from recdistill.floors import FLOOR_KINDS
from recdistill.students import require_no_times
from recdistill.training._recipe_file import load_recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recdistill.data import PreparedData
    from recdistill.runs import RunFinder, RunReference


def find_baseline(reference: str, finder: RunFinder, data: PreparedData) -> RunReference:
    """Resolve a trained baseline by id, name or ``latest``, which is the newest that is no floor.

    Raises
    ------
    UserError
        When there is none on these data, or it reads times, which what learns like it or beside it
        is not given.
    """
    if reference == "latest":
        from recdistill.runs import FinishedRuns  # stages import this before they know settings

        runs = FinishedRuns(finder.client)
        found = runs.find(reference, "train_baseline", data=data, unlike={"model": FLOOR_KINDS})
    else:
        found = finder.find(reference, "train_baseline", data=data)
    query_time = found.tags.get("query_time", "none")  # runs of earlier versions say nothing
    require_no_times(query_time, f"Run '{found.name}' ({found.id[:8]})", "a baseline here")
    return found


def baseline_settings(baseline: RunReference, of_data: Mapping[str, Any]) -> Any:
    """Return settings of ``train_baseline`` that train the like of a finished baseline.

    Parameters
    ----------
    baseline : a run that trained a student; a floor is refused, which has no recipe
    of_data : plain settings of the data, the preset and the seed
    """
    recipe = load_recipe(baseline.artifact("model"))
    its_own = {
        "model": recipe.architecture.kind,
        "text_run": baseline.tags.get("text_run_id", "latest"),
        **recipe.settings(),
    }
    kind = stage_module("train_baseline").Config
    return parse(kind, "train_baseline", [], {**of_data, **its_own})
