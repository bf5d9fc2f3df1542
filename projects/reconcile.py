"""Make MLflow show of a study what Optuna knows of it, and give dead trials back to the queue.

mlflow run . --env-manager local -e reconcile
mlflow run . --env-manager local -e reconcile -P study=distill-ml-100k-1a2b3c4d
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import mlflow

from projects._trials import CONFIGS
from projects.sweep import DEFAULT_STORAGE, STORAGE
from recdistill.errors import UserError
from recdistill.runs import Run, stage
from recdistill.sweeps import (
    Mirror,
    build_space,
    give_up_stale,
    has_password,
    load_study,
    open_storage,
    parent_run,
    reconcile,
    setting_types,
    study_names,
    tally,
)


@dataclass(frozen=True)
class Config:
    """Which studies; conf/reconcile.yaml says more."""

    study: str = "all"
    storage: str = ""

    def __post_init__(self) -> None:
        if self.storage and has_password(self.storage):
            raise UserError(
                "storage carries a password, which MLflow would show to everybody: leave it out "
                f"and set PGPASSWORD, or put the whole address into the variable {STORAGE}."
            )


def run(config: Config, run: Run) -> None:
    """Repair study by study. Runs of dead processes were closed when this run was opened."""
    storage = open_storage(config.storage or os.environ.get(STORAGE, "") or DEFAULT_STORAGE)
    names = study_names(storage) if config.study == "all" else [config.study]
    run.rename(f"{config.study}-reconcile")
    totals: dict[str, float] = {}
    for name in names:
        study, facts = load_study(name, storage)
        give_up_stale(study, storage, 3.0 * facts.heartbeat_seconds)
        try:
            experiment = run.client.get_run(parent_run(study)).info.experiment_id
        except mlflow.exceptions.MlflowException:
            print(f"reconcile: {name}: its sweep's run is not in this tracking store; skipped.")
            continue
        mirror = Mirror(run.client, experiment, parent_run(study), name, facts)
        space = build_space(facts.space, setting_types(CONFIGS[facts.stage]), facts.stage)
        repairs = reconcile(study, mirror, space)
        states = ", ".join(f"{n} {state}" for state, n in sorted(tally(study).items()))
        print(f"reconcile: {name} ({states}): {repairs.sentence()}.", flush=True)
        for key, n in vars(repairs).items():
            totals[f"reconcile/{key}"] = totals.get(f"reconcile/{key}", 0) + n
    run.log_metrics(totals)


if __name__ == "__main__":
    stage(run, Config, "reconcile")
