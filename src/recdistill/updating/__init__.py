"""Models that go on: trained on what happened since, on a catalog that grew."""

from typing import TYPE_CHECKING

from recdistill._lazy import import_on_first_use

if TYPE_CHECKING:
    from recdistill.updating._chain import run_clocks
    from recdistill.updating._champion import Champion
    from recdistill.updating._changes import changes, count_on
    from recdistill.updating._clock import Clock, Step
    from recdistill.updating._config import Replay, UpdateConfig
    from recdistill.updating._fresh_views import fresh_views
    from recdistill.updating._frozen import Frozen, catalog_of
    from recdistill.updating._outcomes import (
        ClockTest,
        by_age,
        by_window,
        cases_of,
        clock_metrics,
        compare_clocks,
        later_windows,
    )
    from recdistill.updating._replay_windows import past_states
    from recdistill.updating._since import since
    from recdistill.updating._update import update_student

__all__ = [
    "Champion",
    "Clock",
    "ClockTest",
    "Frozen",
    "Replay",
    "Step",
    "UpdateConfig",
    "by_age",
    "by_window",
    "cases_of",
    "catalog_of",
    "changes",
    "clock_metrics",
    "compare_clocks",
    "count_on",
    "fresh_views",
    "later_windows",
    "past_states",
    "run_clocks",
    "since",
    "update_student",
]

import_on_first_use(__name__)
