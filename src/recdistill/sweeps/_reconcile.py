"""Make MLflow say what Optuna knows: every trial that began has one run, in the trial's state."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from mlflow.entities import Metric

from recdistill.sweeps._mirror import NUMBER, STATE, STATUS
from recdistill.sweeps._queue import RUN_ID, state_of

if TYPE_CHECKING:
    from mlflow.entities import Run
    from optuna import Study
    from optuna.trial import FrozenTrial

    from recdistill.sweeps._mirror import Mirror
    from recdistill.sweeps._space import Space


@dataclass
class Repairs:
    """What was wrong with the mirror, and is right now.

    Attributes
    ----------
    n_missing : trials that had no run
    n_doubled : runs beyond the first of one trial; removed, MLflow's trash keeps them
    n_foreign : runs of no trial of the study; removed likewise
    n_disagreeing : runs in another state than their trial
    n_adopted : runs under another parent
    n_incomplete : runs of finished trials without their result
    """

    n_missing: int = 0
    n_doubled: int = 0
    n_foreign: int = 0
    n_disagreeing: int = 0
    n_adopted: int = 0
    n_incomplete: int = 0

    def any(self) -> bool:
        """Whether there was anything to repair."""
        return any(asdict(self).values())

    def sentence(self) -> str:
        """Say it in words."""
        found = [f"{n} {name[2:]}" for name, n in asdict(self).items() if n]
        return f"repaired: {', '.join(found)}" if found else "MLflow and Optuna agree"


def reconcile(study: Study, mirror: Mirror, space: Space) -> Repairs:
    """Repair the runs of one study; a second call finds nothing to do."""
    repairs = Repairs()
    runs: dict[str, list[Run]] = defaultdict(list)
    for run in trial_runs(mirror):
        runs[run.data.tags.get(NUMBER, "")].append(run)
    begun = [
        t for t in study.get_trials(deepcopy=False) if state_of(t) not in ("waiting", "unwanted")
    ]
    for trial in begun:
        own = runs.pop(str(trial.number), [])
        kept = _kept(trial, own)
        for run in own:
            if run is not kept:
                mirror.client.delete_run(run.info.run_id)
                repairs.n_doubled += 1
        if kept is None:
            if state_of(trial) == "running":
                continue  # its worker may be making the run at this moment
            repairs.n_missing += 1
            run_id = mirror.create(trial, space.values(trial.params))
            kept = mirror.client.get_run(run_id)
            _log_result(mirror, trial, kept)
            _settle(mirror, trial, kept)
        else:
            _repair(mirror, trial, kept, repairs)
    for strays in runs.values():
        for run in strays:
            mirror.client.delete_run(run.info.run_id)
            repairs.n_foreign += 1
    return repairs


def trial_runs(mirror: Mirror) -> list[Run]:
    """Return every run that says it is a trial of the study."""
    out: list[Run] = []
    token = None
    while True:
        page = mirror.client.search_runs(
            [mirror.experiment],
            f"tags.study = '{mirror.study}' and tags.stage = 'trial'",
            order_by=["attributes.start_time ASC"],
            max_results=500,
            page_token=token,
        )
        out += page
        token = page.token
        if not token:
            return out


def _kept(trial: FrozenTrial, own: list[Run]) -> Run | None:
    linked = trial.user_attrs.get(RUN_ID)
    for run in own:
        if run.info.run_id == linked:
            return run
    return own[0] if own else None


def _repair(mirror: Mirror, trial: FrozenTrial, run: Run, repairs: Repairs) -> None:
    state = state_of(trial)
    if run.data.tags.get("mlflow.parentRunId") != mirror.parent:
        mirror.client.set_tag(run.info.run_id, "mlflow.parentRunId", mirror.parent)
        repairs.n_adopted += 1
    if trial.values and mirror.spec.metric not in run.data.metrics:
        _log_result(mirror, trial, run)
        repairs.n_incomplete += 1
    if run.data.tags.get(STATE) != state or run.info.status != STATUS[state]:
        _settle(mirror, trial, run)
        repairs.n_disagreeing += 1


def _settle(mirror: Mirror, trial: FrozenTrial, run: Run) -> None:
    state, run_id = state_of(trial), run.info.run_id
    mirror.client.set_tag(run_id, STATE, state)
    if state == "running":
        mirror.client.update_run(run_id, status="RUNNING")
        return
    ended = trial.datetime_complete
    mirror.client.set_terminated(
        run_id, status=STATUS[state], end_time=int(ended.timestamp() * 1000) if ended else None
    )


def _log_result(mirror: Mirror, trial: FrozenTrial, run: Run) -> None:
    """Write what Optuna remembers of a trial's metrics."""
    last = max(trial.intermediate_values, default=0)
    known = [(mirror.spec.metric, value, at) for at, value in trial.intermediate_values.items()]
    if trial.values:
        values = dict(zip(mirror.spec.objectives, trial.values, strict=True))
        known += [(name, value, last) for name, value in values.items()]
        known += [(name, value, last) for name, value in mirror.deltas(values).items()]
    begun = run.info.start_time
    metrics = [Metric(name, value, begun + i, at) for i, (name, value, at) in enumerate(known)]
    mirror.client.log_batch(run.info.run_id, metrics=metrics)
