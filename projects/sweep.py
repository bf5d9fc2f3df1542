"""Search the settings of distill (or of train_baseline) with worker processes, then test the best.

mlflow run . --env-manager local -e sweep -P n_trials=30 -P workers=2
mlflow run . --env-manager local -e sweep -P stage=train_baseline -P n_trials=30 -P workers=2
mlflow run . --env-manager local -e sweep -P join=latest -P storage=postgresql://me@host/studies
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from recdistill import lessons, reporting, sweeps, training
from recdistill.config import as_dotted, as_plain, changed_part, main_fields, parse, stage_module
from recdistill.data import OnData, prepare_for
from recdistill.errors import UserError, require_least
from recdistill.lessons import Control  # noqa: TC001 - read by the parser
from recdistill.runs import stage

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage

    from recdistill.data import PreparedData
    from recdistill.lessons import Sources
    from recdistill.runs import Run, RunReference
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
class Config(OnData):
    """What is searched, how long, by how many; conf/sweep.yaml says what each knob does."""

    baseline_run: str = "latest"
    teacher_run: str = "latest"
    transfer_run: str = ""
    control: Control = "none"
    stage: Literal["distill", "train_baseline"] = "distill"
    space: str = ""
    n_trials: int = 30
    workers: int = 2
    storage: str = ""
    study: str = ""
    join: str = ""
    objective: Literal["ndcg", "recall"] = "ndcg"
    cost: bool = False
    sampler: Literal["tpe", "random"] = "tpe"
    pruner: Literal["median", "hyperband", "none"] = "median"
    n_startup: int = 8
    n_seeds: int = 3
    threads: int = 1
    heartbeat_seconds: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("n_trials", "workers", "threads", "heartbeat_seconds"):
            require_least(name, getattr(self, name), 1)
        sweeps.require_no_password(self.storage)


def run(config: Config, run: Run) -> None:
    """Make or find the study, have its trials done, repair the mirror, test the best."""
    if config.join:
        join(config, run)
        return
    data = prepare_for(config)
    run.log_data(data)
    address = sweeps.storage_url(config.storage)
    spec = plan(config, run, data)
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


def plan(config: Config, run: Run, data: PreparedData) -> StudySpec:
    """Resolve baseline and teachers, the stage's own settings, and the space over them."""
    baseline = run.find(config.baseline_run, "train_baseline", data=data)
    references = {"baseline": validation(baseline)}
    tables = teachers = ""
    if config.stage == "train_baseline":
        settings = training.baseline_settings(baseline, asked_of_data(config))
    else:
        sources = lessons.find_sources(
            baseline.id, config.teacher_run, run, data, config.transfer_run
        )
        tables = table_references(sources)
        teachers = ",".join(teacher.id for teacher in sources.all_teachers())
        measured = [validation(teacher) for teacher in sources.all_teachers()]
        references["teacher"] = max(measured, key=lambda m: m.get("val/ndcg_at_10", 0.0))
        settings = distill_settings(config, sources, tables)
    default_space = ""
    if config.transfer_run and config.stage == "distill":
        default_space = "control" if config.control == "no_lists" else "transfer"
    metric = f"val/{config.objective}_at_10"
    spec = sweeps.StudySpec(
        stage=config.stage,
        settings=as_plain(settings),
        space=sweeps.read_space(config.space or default_space, config.stage),
        objectives=[metric, sweeps.COST] if config.cost else [metric],
        seed=config.seed,
        catalog_digest=data.catalog.digest,
        split_digest=data.split_digest,
        dataset=data.dataset,
        split=str(data.manifest["split"]),
        baseline=baseline.id,
        tables=tables,
        teachers=teachers,
        references=references,
        sampler=config.sampler,
        pruner=config.pruner,
        n_startup=config.n_startup,
        heartbeat_seconds=config.heartbeat_seconds,
        code=sweeps.trial_code(config.stage),
    )
    sweeps.space_of(spec)  # a knob that does not exist is refused before anything is written
    return spec


def distill_settings(config: Config, sources: Sources, tables: str) -> Any:
    """Return distill's own settings on this data, where they are open like the baseline's."""
    loop = training.load_recipe(sources.baseline.artifact("model")).loop
    own = parse(stage_module("distill").Config, "distill", [], asked_of_data(config))
    # Epochs over a transfer set are others than the control's without one.
    n_epochs = None if sources.transfer else loop.max_epochs
    return sweeps.with_settings(
        own,
        {
            "baseline_run": sources.baseline.id,
            "teacher_run": tables or lessons.NO_TABLE,
            "transfer_run": sources.transfer.id if sources.transfer else "",
            "control": config.control,
            "lr": loop.optimizer.lr if own.lr is None else own.lr,
            "max_epochs": n_epochs if own.max_epochs is None else own.max_epochs,
        },
    )


def asked_of_data(config: Config) -> dict[str, Any]:
    """Return what was asked of the data: the rest is left to the swept stage's own files."""
    return changed_part(config, OnData, always=("dataset", "preset", "seed"))


def table_references(sources: Sources) -> str:
    """Name the tables by their ids, with the weights that were asked for."""
    names = [table.id for table in sources.tables]
    if sources.weights:
        names = [f"{n}:{weight:g}" for n, weight in zip(names, sources.weights, strict=True)]
    return ",".join(names)


def validation(reference: RunReference) -> dict[str, float]:
    """Pick what a run scored on validation."""
    names = ("val/recall_at_10", "val/ndcg_at_10")
    return {name: reference.metrics[name] for name in names if name in reference.metrics}


if __name__ == "__main__":
    stage(run, Config, "sweep")
