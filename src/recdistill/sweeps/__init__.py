"""Search spaces, studies, workers, and their mirror in MLflow."""

from typing import TYPE_CHECKING

from recdistill._lazy import import_on_first_use

if TYPE_CHECKING:
    from recdistill.sweeps._address import require_no_password, shown, storage_url
    from recdistill.sweeps._best import Retrained, retrain_best
    from recdistill.sweeps._config import SweepSettings
    from recdistill.sweeps._mirror import Mirror
    from recdistill.sweeps._page import page
    from recdistill.sweeps._parent_run import adopt_study, log_study, log_trials
    from recdistill.sweeps._plan import plan_study
    from recdistill.sweeps._plots import draw
    from recdistill.sweeps._progress import Progress
    from recdistill.sweeps._queue import (
        claim,
        first_attempt,
        give_up_stale,
        running,
        score,
        state_of,
        tally,
        top_up,
    )
    from recdistill.sweeps._reconcile import reconcile
    from recdistill.sweeps._settings import with_settings
    from recdistill.sweeps._stage import space_of, stage_settings, trial_code
    from recdistill.sweeps._storage import open_storage
    from recdistill.sweeps._study import (
        StudySpec,
        create_study,
        halt,
        load_study,
        parent_run,
        read_spec,
        require_code,
        study_names,
    )
    from recdistill.sweeps._summary import (
        best_trial,
        card,
        importances,
    )
    from recdistill.sweeps._worker import Trainer
    from recdistill.sweeps._worker_pool import WorkerPool

__all__ = [
    "Mirror",
    "Progress",
    "Retrained",
    "StudySpec",
    "SweepSettings",
    "Trainer",
    "WorkerPool",
    "adopt_study",
    "best_trial",
    "card",
    "claim",
    "create_study",
    "draw",
    "first_attempt",
    "give_up_stale",
    "halt",
    "importances",
    "load_study",
    "log_study",
    "log_trials",
    "open_storage",
    "page",
    "parent_run",
    "plan_study",
    "read_spec",
    "reconcile",
    "require_code",
    "require_no_password",
    "retrain_best",
    "running",
    "score",
    "shown",
    "space_of",
    "stage_settings",
    "state_of",
    "storage_url",
    "study_names",
    "tally",
    "top_up",
    "trial_code",
    "with_settings",
]

import_on_first_use(__name__)
