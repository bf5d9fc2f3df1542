"""Make MLflow show of a study what Optuna knows of it, and give dead trials back to the queue.

mlflow run . --env-manager local -e reconcile
mlflow run . --env-manager local -e reconcile -P study=distill-ml-100k-1a2b3c4d
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recdistill import sweeps
from recdistill.config import main_fields
from recdistill.runs import stage

if TYPE_CHECKING:
    from recdistill.runs import Run


@main_fields("study", "storage")
@dataclass(frozen=True)
class Config:
    """Which studies; conf/reconcile.yaml says more."""

    study: str = "all"
    storage: str = ""

    def __post_init__(self) -> None:
        sweeps.require_no_password(self.storage)


def run(config: Config, run: Run) -> None:
    """Repair study by study. Runs of dead processes were closed when this run was opened."""
    from mlflow.exceptions import MlflowException

    storage = sweeps.open_storage(sweeps.storage_url(config.storage))
    names = sweeps.study_names(storage) if config.study == "all" else [config.study]
    run.rename(config.study, "reconcile")
    totals: dict[str, float] = {}
    for name in names:
        study, spec = sweeps.load_study(name, storage)
        sweeps.give_up_stale(study, storage, 3.0 * spec.heartbeat_seconds)
        try:
            experiment = run.client.get_run(sweeps.parent_run(study)).info.experiment_id
        except MlflowException:
            print(f"reconcile: {name}: its sweep's run is not in this tracking store; skipped.")
            continue
        mirror = sweeps.Mirror(run.client, experiment, sweeps.parent_run(study), name, spec)
        repairs = sweeps.reconcile(study, mirror, sweeps.space_of(spec))
        states = ", ".join(f"{n} {state}" for state, n in sorted(sweeps.tally(study).items()))
        print(f"reconcile: {name} ({states}): {repairs.sentence()}.", flush=True)
        for key, n in vars(repairs).items():
            totals[f"reconcile/{key}"] = totals.get(f"reconcile/{key}", 0) + n
    run.log_metrics(totals)


if __name__ == "__main__":
    stage(run, Config, "reconcile")
