"""The MLflow run: its phases, datasets, artifacts, references to other runs."""

from recdistill.tracking._dead_runs import close_dead_runs, process_tags
from recdistill.tracking._in_process import run_stage
from recdistill.tracking._launch import launch
from recdistill.tracking._references import RunReference, find_run
from recdistill.tracking._run import Run
from recdistill.tracking._stage import open_run, stage
from recdistill.tracking._views import (
    comparison_url,
    model_url,
    run_url,
    save_views,
    ui_base,
    view_url,
)

__all__ = [
    "Run",
    "RunReference",
    "close_dead_runs",
    "comparison_url",
    "find_run",
    "launch",
    "model_url",
    "open_run",
    "process_tags",
    "run_stage",
    "run_url",
    "save_views",
    "stage",
    "ui_base",
    "view_url",
]
