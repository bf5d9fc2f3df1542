"""Search the settings of distill (or of train_baseline) with worker processes, then test the best.

mlflow run . --env-manager local -e sweep -P n_trials=30 -P workers=2
mlflow run . --env-manager local -e sweep -P stage=train_baseline -P n_trials=30 -P workers=2
mlflow run . --env-manager local -e sweep -P join=latest -P storage=postgresql://me@host/studies
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recdistill import reporting, sweeps
from recdistill.config import as_dotted, main_fields
from recdistill.data import prepare_for
from recdistill.errors import UserError
from recdistill.runs import stage
from recdistill.sweeps import SweepSettings

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage

    from recdistill.runs import Run
    from recdistill.sweeps import StudySpec


@main_fields(
    "baseline_run",
    "teacher_run",
    "transfer_run",
    "stage",
    "space",
    "n_trials",
    "workers",
    "storage",
    "study",
    "join",
)
@dataclass(frozen=True)
class Config(SweepSettings):
    """What is searched, how long, by how many; conf/sweep.yaml says what each knob does."""


def run(config: Config, run: Run) -> None:
    """Make or find the study, have its trials done, repair the mirror, test the best."""
    if config.join:
        join(config, run)
        return
    data = prepare_for(config)
    run.log_data(data)
    address = sweeps.storage_url(config.storage)
    spec = sweeps.plan_study(config, run, data)
    storage = sweeps.open_storage(address, heartbeat_seconds=config.heartbeat_seconds)
    study = sweeps.create_study(config.study or spec.name(), spec, storage)
    spec = sweeps.read_spec(study)
    space = sweeps.space_of(spec)
    sweeps.adopt_study(run, study, storage, data)
    sweeps.log_study(run, study, spec, storage=sweeps.shown(address), n_trials=config.n_trials)

    own = as_dotted(sweeps.with_settings(sweeps.stage_settings(spec), space.fixed))
    points = {name: space.parameters(point, own) for name, point in space.points.items()}
    n_left = sweeps.top_up(study, config.n_trials, points)
    print(
        f"sweep: study {study.study_name} in {sweeps.shown(address)}: "
        f"{config.n_trials - n_left} of {config.n_trials} trials finished, {n_left} to go, "
        f"{config.workers} workers.",
        flush=True,
    )
    experiment = run.client.get_run(run.id).info.experiment_id
    mirror = sweeps.Mirror(run.client, experiment, run.id, study.study_name, spec)
    try:
        if n_left:
            with run.phase("search"):
                work(config, run, study, storage, spec)
    finally:
        run.log_metrics(
            {"sweep/n_repairs": sum(vars(sweeps.reconcile(study, mirror, space)).values())}
        )
        sweeps.log_trials(run, study, mirror, space, storage=sweeps.shown(address))
    if config.n_seeds:
        best = sweeps.retrain_best(run, study, spec, space, n_seeds=config.n_seeds)
        print("sweep:", tell(run, best) if best else "no trial is complete to be tested.")


def tell(run: Run, best: sweeps.Retrained) -> str:
    """Log what test data say of the best trial, and say it."""
    for metric in ("test/recall_at_10", "test/ndcg_at_10"):
        values = [student.metrics[metric] for student in best.students]
        run.log_metrics({metric: sum(values) / len(values)})
    students, baselines = ([one.id for one in side] for side in (best.students, best.baselines))
    words = reporting.log_differences(run, students, "baseline", [baselines])
    sentence = f"On test data (best trial retrained, {best.seeds}): {'; '.join(words)}."
    note = run.client.get_run(run.id).data.tags.get("mlflow.note.content", "")
    run.note(f"{sentence}\n\n{note}")
    return sentence


def join(config: Config, run: Run) -> None:
    """Add this machine's workers to a study that somebody started elsewhere."""
    from mlflow.exceptions import MlflowException

    address = sweeps.storage_url(config.storage)
    storage = sweeps.open_storage(address, heartbeat_seconds=config.heartbeat_seconds)
    name = config.join
    if name == "latest":
        name = next(reversed(sweeps.study_names(storage)), name)
    study, spec = sweeps.load_study(name, storage)
    parent = sweeps.parent_run(study)
    try:
        run.client.get_run(parent)
    except MlflowException:
        raise UserError(
            f"Study '{name}' belongs to run {parent or '(none)'}, which the tracking store "
            f"{run.client.tracking_uri} does not have: set MLFLOW_TRACKING_URI to the server "
            "that the sweep was started with."
        ) from None
    sweeps.require_code(study, sweeps.trial_code(spec.stage))
    run.rename(f"{socket.gethostname()}-joins-{name}", "sweep")
    run.set_tags({"mlflow.parentRunId": parent, "study": name, "dataset": spec.dataset})
    storage = sweeps.open_storage(address, heartbeat_seconds=spec.heartbeat_seconds)
    work(config, run, study, storage, spec)


def work(config: Config, run: Run, study: Study, storage: BaseStorage, spec: StudySpec) -> None:
    """Keep this machine's workers at it until no trial is left."""
    from recdistill.sweeps.workers import make_worker

    # One core per worker, or they all take all of them and wait for each other.
    os.environ["OMP_NUM_THREADS"] = str(config.threads)
    sweeps.halt(study, "")
    address = sweeps.storage_url(config.storage)
    arguments = (study.study_name, address, run.client.tracking_uri, config.threads)
    progress = sweeps.Progress(study, spec)
    sweeps.WorkerPool(make_worker, arguments, config.workers).run(study, storage, progress.report)
    progress.report(last=True)


if __name__ == "__main__":
    stage(run, Config, "sweep")
