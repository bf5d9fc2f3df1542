"""The sweep's own run: whose children the trials are, and what it shows of its study."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING

import yaml
from mlflow.exceptions import MlflowException

from recdistill.errors import UserError
from recdistill.sweeps._page import page
from recdistill.sweeps._plots import draw
from recdistill.sweeps._queue import give_up_stale, running, score
from recdistill.sweeps._study import DATA, parent_run, set_parent_run
from recdistill.sweeps._summary import best_trial, card, trial_table

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage

    from recdistill.data import PreparedData
    from recdistill.runs import Run
    from recdistill.sweeps._mirror import Mirror
    from recdistill.sweeps._space import Space
    from recdistill.sweeps._study import StudySpec

_LOG = logging.getLogger(__name__)


def adopt_study(run: Run, study: Study, storage: BaseStorage, data: PreparedData) -> None:
    """Make ``run`` the parent of the study's trials, or continue the parent run it has.

    Raises
    ------
    UserError
        When another sweep is working on this study.
    """
    before = parent_run(study)
    if not before:
        _become_parent(run, study, data)
        return
    give_up_stale(study, storage, 60)
    try:
        info = run.client.get_run(before)
    except MlflowException:
        info = None
    if info is None or info.info.lifecycle_stage == "deleted":
        _LOG.warning("run %s is not in this tracking store; its trials are shown anew", before)
        _become_parent(run, study, data)
        return
    here = info.data.tags.get("process.host") == socket.gethostname()
    if info.info.status == "RUNNING" and (here or running(study)):
        raise UserError(
            f"Study '{study.study_name}' is at work already (run {before}); to give it more "
            f"workers: mlflow run . -e sweep -P join={study.study_name}"
        )
    run.take_up(before)


def _become_parent(run: Run, study: Study, data: PreparedData) -> None:
    run.log_artifact(data.folder, DATA)
    set_parent_run(study, run.id)


def log_study(run: Run, study: Study, spec: StudySpec, *, storage: str, n_trials: int) -> None:
    """Say on the run what is searched, and where."""
    run.rename(study.study_name, "sweep")
    run.set_tags(
        {
            "study": study.study_name,
            "storage": storage,
            "sampler": spec.sampler,
            "pruner": spec.pruner,
            "objectives": ", ".join(spec.objectives),
            "n_trials": n_trials,
            "baseline_run_id": spec.baseline,
            "teacher_run_id": spec.teachers,
            "table_run_id": spec.tables,
        }
    )
    run.log_text(yaml.safe_dump(spec.space, sort_keys=False), "study/space.yaml")
    run.log_text(yaml.safe_dump(spec.settings, sort_keys=False), "study/settings.yaml")


def log_trials(run: Run, study: Study, mirror: Mirror, space: Space, *, storage: str) -> None:
    """Write card, table, pictures and page of what the study holds by now."""
    spec = mirror.spec
    table = trial_table(study, spec, space)
    if table.empty:
        return
    run.note(card(study, spec, space, storage=storage))
    # What `log_table` writes, but anew each time: that function appends.
    run.log_text(table.to_json(orient="split", index=False), "trials.json")
    run.set_tags({"mlflow.loggedArtifacts": '[{"path": "trials.json", "type": "table"}]'})
    run.log_text(table.to_csv(index=False), "trials.csv")
    if draw(study, spec, space, run.folder / "plots"):
        run.log_artifact(run.folder / "plots", "plots")
        summary = f"{spec.stage} on {spec.dataset}; every figure is on validation data."
        run.log_text(page(study, spec, space, summary=summary), "sweep.html")
    best = best_trial(study)
    if best is not None:
        values = {spec.metric: score(best)}
        run.log_metrics({"sweep/best_trial": best.number, f"best/{spec.metric}": score(best)})
        run.log_metrics({f"best/{k}": v for k, v in mirror.deltas(values).items()})
        run.set_tags({"best_trial": best.number})
    run.log_metrics({f"sweep/n_{state}": n for state, n in table["state"].value_counts().items()})
