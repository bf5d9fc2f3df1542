"""The MLflow run: its phases, datasets, artifacts, references to other runs."""

from recdistill.tracking._dead_runs import close_dead_runs, process_tags
from recdistill.tracking._launch import launch
from recdistill.tracking._references import RunReference, find_run
from recdistill.tracking._run import Run
from recdistill.tracking._stage import open_run, stage
from recdistill.tracking._views import comparison_url, run_url, save_views, ui_base, view_url

__all__ = [
    "Run",
    "RunReference",
    "close_dead_runs",
    "comparison_url",
    "find_run",
    "launch",
    "open_run",
    "process_tags",
    "run_url",
    "save_views",
    "stage",
    "ui_base",
    "view_url",
]
