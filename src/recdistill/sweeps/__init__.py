"""Search spaces, studies, workers, and their mirror in MLflow."""

from recdistill.sweeps._crew import Crew
from recdistill.sweeps._mirror import Mirror
from recdistill.sweeps._page import page
from recdistill.sweeps._plots import draw
from recdistill.sweeps._progress import Progress
from recdistill.sweeps._queue import (
    claim,
    first_attempt,
    give_up,
    give_up_stale,
    give_up_worker,
    n_finished,
    running,
    score,
    state_of,
    tally,
    top_up,
)
from recdistill.sweeps._reconcile import Repairs, reconcile, trial_runs
from recdistill.sweeps._settings import setting_types, type_of, with_settings
from recdistill.sweeps._space import Knob, Space, build_space, read_space
from recdistill.sweeps._storage import has_password, open_storage, shown
from recdistill.sweeps._study import (
    COST,
    Facts,
    create_study,
    halt,
    load_study,
    parent_run,
    read_facts,
    set_parent_run,
    study_names,
)
from recdistill.sweeps._summary import best_trial, card, importances, trial_table
from recdistill.sweeps._worker import Trainer, Worker

__all__ = [
    "COST",
    "Crew",
    "Facts",
    "Knob",
    "Mirror",
    "Progress",
    "Repairs",
    "Space",
    "Trainer",
    "Worker",
    "best_trial",
    "build_space",
    "card",
    "claim",
    "create_study",
    "draw",
    "first_attempt",
    "give_up",
    "give_up_stale",
    "give_up_worker",
    "halt",
    "has_password",
    "importances",
    "load_study",
    "n_finished",
    "open_storage",
    "page",
    "parent_run",
    "read_facts",
    "read_space",
    "reconcile",
    "running",
    "score",
    "set_parent_run",
    "setting_types",
    "shown",
    "state_of",
    "study_names",
    "tally",
    "top_up",
    "trial_runs",
    "trial_table",
    "type_of",
    "with_settings",
]
