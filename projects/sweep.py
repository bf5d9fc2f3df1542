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

import mlflow
import yaml

from projects import distill
from projects._sweep_end import retrain_best, show
from projects._trials import CONFIGS, DATA, base_settings, make_worker
from recdistill.config import as_dotted, as_plain, parse
from recdistill.data import OnData, prepare_for
from recdistill.errors import UserError
from recdistill.lessons import NO_TABLE, find_sources
from recdistill.runs import Run, stage
from recdistill.sweeps import (
    COST,
    Crew,
    Facts,
    Mirror,
    Progress,
    Space,
    build_space,
    create_study,
    give_up_stale,
    halt,
    has_password,
    load_study,
    open_storage,
    parent_run,
    read_facts,
    read_space,
    reconcile,
    running,
    set_parent_run,
    setting_types,
    shown,
    study_names,
    top_up,
    with_settings,
)
from recdistill.training import load_recipe

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage

    from recdistill.data import PreparedData

STORAGE, DEFAULT_STORAGE = "RECDISTILL_STORAGE", "sqlite:///studies.db"


@dataclass(frozen=True)
class Config(OnData):
    """What is searched, how long, by how many; conf/sweep.yaml says what each knob does."""

    baseline_run: str = "latest"
    teacher_run: str = "latest"
    transfer_run: str = ""
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
            if getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if self.storage and has_password(self.storage):
            raise UserError(
                "storage carries a password, which MLflow would show to everybody: leave it out "
                f"and set PGPASSWORD, or put the whole address into the variable {STORAGE}."
            )

    def storage_url(self) -> str:
        """Return where the studies lie."""
        return self.storage or os.environ.get(STORAGE, "") or DEFAULT_STORAGE


def run(config: Config, run: Run) -> None:
    """Make or find the study, have its trials done, repair the mirror, test the best."""
    if config.join:
        join(config, run)
        return
    data = prepare_for(config)
    run.log_data(data)
    facts, space = plan(config, run, data)
    storage = open_storage(config.storage_url(), heartbeat_seconds=config.heartbeat_seconds)
    study = create_study(config.study or facts.name(), facts, storage)
    facts = read_facts(study)
    be_parent(run, study, storage, data)
    describe(config, run, study, facts)

    own = as_dotted(with_settings(base_settings(facts), space.fixed))
    points = {name: space.parameters(point, own) for name, point in space.points.items()}
    n_left = top_up(study, config.n_trials, points)
    print(
        f"sweep: study {study.study_name} in {shown(config.storage_url())}: "
        f"{config.n_trials - n_left} of {config.n_trials} trials finished, {n_left} to go, "
        f"{config.workers} workers.",
        flush=True,
    )
    mirror = Mirror(run.client, experiment_of(run), run.id, study.study_name, facts)
    try:
        if n_left:
            with run.phase("search"):
                work(config, study, storage, facts)
    finally:
        run.log_metrics({"sweep/n_repairs": sum(vars(reconcile(study, mirror, space)).values())})
        show(run, study, mirror, space, shown(config.storage_url()))
    if config.n_seeds:
        retrain_best(run, study, facts, space, n_seeds=config.n_seeds)


def join(config: Config, run: Run) -> None:
    """Add this machine's workers to a study that somebody started elsewhere."""
    storage = open_storage(config.storage_url(), heartbeat_seconds=config.heartbeat_seconds)
    name = config.join
    if name == "latest":
        name = next(reversed(study_names(storage)), name)
    study, facts = load_study(name, storage)
    parent = parent_run(study)
    try:
        run.client.get_run(parent)
    except mlflow.exceptions.MlflowException:
        raise UserError(
            f"Study '{name}' belongs to run {parent or '(none)'}, which the tracking store "
            f"{mlflow.get_tracking_uri()} does not have: set MLFLOW_TRACKING_URI to the server "
            "that the sweep was started with."
        ) from None
    run.rename(f"{socket.gethostname()}-joins-{name}")
    run.set_tags({"mlflow.parentRunId": parent, "study": name, "dataset": facts.dataset})
    storage = open_storage(config.storage_url(), heartbeat_seconds=facts.heartbeat_seconds)
    work(config, study, storage, facts)


def work(config: Config, study: Study, storage: BaseStorage, facts: Facts) -> None:
    """Keep this machine's workers at it until no trial is left."""
    # One core per worker, or they all take all of them and wait for each other.
    os.environ["OMP_NUM_THREADS"] = str(config.threads)
    halt(study, "")
    arguments = (study.study_name, config.storage_url(), mlflow.get_tracking_uri(), config.threads)
    progress = Progress(study, facts)
    Crew(make_worker, arguments, config.workers).run(study, storage, progress.report)
    progress.report(last=True)


def plan(config: Config, run: Run, data: PreparedData) -> tuple[Facts, Space]:
    """Resolve baseline and teachers, the stage's own settings, and the space over them."""
    own_space = "transfer" if config.transfer_run and config.stage == "distill" else ""
    plain = read_space(config.space or own_space, config.stage)
    types = setting_types(CONFIGS[config.stage])
    space = build_space(plain, types, config.stage)
    baseline = run.find(config.baseline_run, "train_baseline", data=data)
    tables, teachers, references = "", "", {"baseline": validation(baseline.metrics)}
    recipe = load_recipe(baseline.artifact("model"))
    base: Any
    if config.stage == "train_baseline":
        settings = ["--config", str(baseline.artifact("config.yaml"))]
        trained: Any = parse(CONFIGS["train_baseline"], "train_baseline", settings)
        base = with_settings(trained, {"seed": config.seed})
    else:
        sources = find_sources(baseline.id, config.teacher_run, run, data, config.transfer_run)
        names = [table.id for table in sources.tables]
        if sources.weights:
            names = [f"{n}:{weight:g}" for n, weight in zip(names, sources.weights, strict=True)]
        tables = ",".join(names)
        teachers = ",".join(teacher.id for teacher in sources.all_teachers())
        measured = [validation(teacher.metrics) for teacher in sources.all_teachers()]
        references["teacher"] = max(measured, key=lambda m: m.get("val/ndcg_at_10", 0.0))
        given = as_dotted(OnData(**{n: getattr(config, n) for n in vars(OnData())}))
        words = [f"--{name}={value}" for name, value in given.items() if _differs(name, value)]
        base = parse(distill.Config, "distill", words)
        n_epochs = recipe.loop.max_epochs if base.max_epochs is None else base.max_epochs
        base = with_settings(
            base,
            {
                "baseline_run": baseline.id,
                "teacher_run": tables or NO_TABLE,
                "transfer_run": sources.transfer.id if sources.transfer else "",
                "lr": recipe.loop.optimizer.lr if base.lr is None else base.lr,
                # Epochs over a transfer set are others than the control's without one.
                "max_epochs": base.max_epochs if sources.transfer else n_epochs,
            },
        )
    metric = f"val/{config.objective}_at_10"
    facts = Facts(
        stage=config.stage,
        settings=as_plain(base),
        space=plain,
        objectives=[metric, COST] if config.cost else [metric],
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
    )
    return facts, space


def be_parent(run: Run, study: Study, storage: BaseStorage, data: PreparedData) -> None:
    """Be the run whose children the trials are, or go on with the one that is.

    Raises
    ------
    UserError
        When another sweep is at this study now.
    """
    before = parent_run(study)
    if not before:
        run.log_artifact(data.folder, DATA)
        set_parent_run(study, run.id)
        return
    give_up_stale(study, storage, 60)
    try:
        info = run.client.get_run(before)
    except mlflow.exceptions.MlflowException:
        info = None
    if info is None or info.info.lifecycle_stage == "deleted":
        print(f"sweep: run {before} is not in this tracking store; its trials are shown anew.")
        run.log_artifact(data.folder, DATA)
        set_parent_run(study, run.id)
        return
    here = info.data.tags.get("process.host") == socket.gethostname()
    if info.info.status == "RUNNING" and (here or running(study)):
        raise UserError(
            f"Study '{study.study_name}' is at work already (run {before}); to give it more "
            f"workers: mlflow run . -e sweep -P join={study.study_name}"
        )
    run.take_up(before)


def describe(config: Config, run: Run, study: Study, facts: Facts) -> None:
    """Say on the run what is searched."""
    run.rename(f"{study.study_name}-sweep")
    run.set_tags(
        {
            "study": study.study_name,
            "storage": shown(config.storage_url()),
            "sampler": facts.sampler,
            "pruner": facts.pruner,
            "objectives": ", ".join(facts.objectives),
            "n_trials": config.n_trials,
            "baseline_run_id": facts.baseline,
            "teacher_run_id": facts.teachers,
            "table_run_id": facts.tables,
        }
    )
    run.log_text(yaml.safe_dump(facts.space, sort_keys=False), "study/space.yaml")
    run.log_text(yaml.safe_dump(facts.settings, sort_keys=False), "study/settings.yaml")


def validation(metrics: dict[str, float]) -> dict[str, float]:
    """Pick what a run scored on validation."""
    names = ("val/recall_at_10", "val/ndcg_at_10")
    return {name: metrics[name] for name in names if name in metrics}


def experiment_of(run: Run) -> str:
    """Return the id of the run's experiment."""
    return str(run.client.get_run(run.id).info.experiment_id)


def _differs(name: str, value: Any) -> bool:
    return value != as_dotted(OnData())[name] or name in ("dataset", "preset", "seed")


if __name__ == "__main__":
    stage(run, Config, "sweep")
