"""The MLflow run: its phases, datasets, artifacts, references to other runs."""

from typing import TYPE_CHECKING

from recdistill._lazy import import_on_first_use

if TYPE_CHECKING:
    from recdistill.runs._content_key import code_digest
    from recdistill.runs._dead_runs import process_tags
    from recdistill.runs._in_process import require_settings, run_configured, run_stage
    from recdistill.runs._launch import launch
    from recdistill.runs._listing import list_runs, page_of_run
    from recdistill.runs._names import metric_word
    from recdistill.runs._open_run import open_run
    from recdistill.runs._passing import fetch_artifact
    from recdistill.runs._plan import Plan, PlannedStep
    from recdistill.runs._recipe_key import RECIPE
    from recdistill.runs._references import (
        STANDS_FOR,
        FinishedRuns,
        RunFinder,
        RunReference,
        children_of,
        find_run,
        newest_of,
        search,
    )
    from recdistill.runs._run import Run
    from recdistill.runs._stage import stage
    from recdistill.runs._step_costs import step_costs
    from recdistill.runs._steps import Step, Steps
    from recdistill.runs._store import open_store
    from recdistill.runs._temporary import own_temporary_folder
    from recdistill.runs._verify import compare_records, read_record, repeat
    from recdistill.runs._views import (
        comparison_url,
        model_url,
        run_url,
        ui_base,
        view_url,
    )

__all__ = [
    "RECIPE",
    "STANDS_FOR",
    "FinishedRuns",
    "Plan",
    "PlannedStep",
    "Run",
    "RunFinder",
    "RunReference",
    "Step",
    "Steps",
    "children_of",
    "code_digest",
    "compare_records",
    "comparison_url",
    "fetch_artifact",
    "find_run",
    "launch",
    "list_runs",
    "metric_word",
    "model_url",
    "newest_of",
    "open_run",
    "open_store",
    "own_temporary_folder",
    "page_of_run",
    "process_tags",
    "read_record",
    "repeat",
    "require_settings",
    "run_configured",
    "run_stage",
    "run_url",
    "search",
    "stage",
    "step_costs",
    "ui_base",
    "view_url",
]

import_on_first_use(__name__)
