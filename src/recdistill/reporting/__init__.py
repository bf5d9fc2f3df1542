"""Comparison, diagnosis, report pages, plots."""

from typing import TYPE_CHECKING

from recdistill._lazy import import_on_first_use

if TYPE_CHECKING:
    from recdistill.reporting._caveats import caveats
    from recdistill.reporting._clock_plot import draw_clocks
    from recdistill.reporting._clock_report import clocks_markdown, write_backtest
    from recdistill.reporting._comparison import ALPHA, Comparison, Row, compare_groups
    from recdistill.reporting._contrast import Contrast, Resampling, adjust_for_all
    from recdistill.reporting._diagnosis import Rung, diagnose, render_diagnosis
    from recdistill.reporting._differences import contrast_trainings, log_differences
    from recdistill.reporting._groups import Group, load_groups, read_per_user
    from recdistill.reporting._history import History, read_history
    from recdistill.reporting._language_page import (
        language_csv,
        language_markdown,
        render_language_audit,
    )
    from recdistill.reporting._markdown import as_markdown
    from recdistill.reporting._report import write_report
    from recdistill.reporting._scored_run import MODEL_STAGES, ScoredRun, find_scored_run
    from recdistill.reporting._select import require_same_data, select_runs
    from recdistill.reporting._verdict import outcome_words, verdict

__all__ = [
    "ALPHA",
    "MODEL_STAGES",
    "Comparison",
    "Contrast",
    "Group",
    "History",
    "Resampling",
    "Row",
    "Rung",
    "ScoredRun",
    "adjust_for_all",
    "as_markdown",
    "caveats",
    "clocks_markdown",
    "compare_groups",
    "contrast_trainings",
    "diagnose",
    "draw_clocks",
    "find_scored_run",
    "language_csv",
    "language_markdown",
    "load_groups",
    "log_differences",
    "outcome_words",
    "read_history",
    "read_per_user",
    "render_diagnosis",
    "render_language_audit",
    "require_same_data",
    "select_runs",
    "verdict",
    "write_backtest",
    "write_report",
]

import_on_first_use(__name__)
