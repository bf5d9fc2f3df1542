"""The study as a queue: a wanted trial is a place, taken once, returned if its worker dies.

The trials of a sweep are enqueued before any worker starts, without parameters unless they are
known points; a worker that takes one asks the sampler then. So no two workers can both start the
last trial, and a sweep of 30 never ends with 31. A trial whose worker died is FAIL in Optuna and
has a successor with the same parameters, which goes on from the same checkpoint.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import optuna
from optuna.trial import Trial, TrialState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optuna import Study
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

State = Literal["waiting", "running", "complete", "pruned", "failed", "retried", "unwanted"]

WORKER, ERROR, RUN_ID = "worker", "error", "mlflow_run_id"
RETRY_OF, FIRST, ATTEMPT, POINT = "retry_of", "first_attempt", "attempt", "point"
SECONDS, INTERRUPTED, UNWANTED = "cpu_seconds", "interrupted", "unwanted"
_INHERITED = (FIRST, POINT, SECONDS)
MAX_ATTEMPTS = 3
FINISHED: tuple[State, ...] = ("complete", "pruned", "failed")


def state_of(trial: FrozenTrial) -> State:
    """Say what became of a trial; ``retried`` means that another one stands for it.

    ``failed`` is a trial that raised an error of its own, or whose worker died every time;
    ``unwanted`` a place that was taken back before anybody began it.
    """
    if trial.state is TrialState.FAIL:
        if UNWANTED in trial.user_attrs:
            return "unwanted"
        spent = attempt_of(trial) >= MAX_ATTEMPTS and INTERRUPTED not in trial.user_attrs
        own = ERROR in trial.user_attrs or spent
        return "failed" if own else "retried"
    names: dict[TrialState, State] = {
        TrialState.WAITING: "waiting",
        TrialState.RUNNING: "running",
        TrialState.COMPLETE: "complete",
        TrialState.PRUNED: "pruned",
    }
    return names[trial.state]


def attempt_of(trial: FrozenTrial) -> int:
    """Return 1 for a first attempt, 2 for its retry, and so on."""
    return int(trial.user_attrs.get(ATTEMPT, 1))


def first_attempt(trial: FrozenTrial) -> int:
    """Return the number of the trial's first attempt; its checkpoints go by that."""
    return int(trial.user_attrs.get(FIRST, trial.number))


def score(trial: FrozenTrial) -> float:
    """Return the metric of a trial that has a result, the first of its objectives."""
    found: list[float] = trial.values
    return found[0]


def tally(study: Study) -> Counter[State]:
    """Count the trials by state."""
    return Counter(state_of(trial) for trial in study.get_trials(deepcopy=False))


def n_finished(counts: Mapping[State, int]) -> int:
    """Count the trials that are done with: complete, pruned, or failed by their own error."""
    return sum(counts.get(state, 0) for state in FINISHED)


def top_up(study: Study, n_trials: int, points: Mapping[str, Mapping[str, Any]]) -> int:
    """Give the study ``n_trials`` places in all; return how many of them are still to be done.

    An empty study gets ``points`` first. Of a study that was given more, the last places that
    nobody began are taken back. Call this while nobody else does: it belongs to the process that
    owns the sweep.
    """
    repeat_lost(study)
    _take_back(study, n_trials)
    counts = tally(study)
    n_places = n_finished(counts) + counts["running"] + counts["waiting"]
    fresh = not study.get_trials(deepcopy=False)
    named = list(points.items())[:n_trials] if fresh else []
    for name, params in named:
        study.enqueue_trial(dict(params), user_attrs={POINT: name})
    for _ in range(n_trials - n_places - len(named)):
        study.enqueue_trial({})
    return max(n_trials - n_finished(counts), 0)


def _take_back(study: Study, n_trials: int) -> None:
    counts = tally(study)
    surplus = n_finished(counts) + counts["running"] + counts["waiting"] - n_trials
    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    # A retry goes on with what was begun, and a known point was asked for by name: these go last.
    by_worth = sorted(
        waiting, key=lambda t: (RETRY_OF in t.user_attrs, POINT in t.user_attrs, -t.number)
    )
    for trial in by_worth[: max(surplus, 0)]:
        storage = study._storage
        storage.set_trial_user_attr(trial._trial_id, UNWANTED, value=True)
        storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)


def claim(study: Study, storage: BaseStorage, worker: str) -> Trial | None:
    """Take the next place of the queue, retries first; None when nothing waits."""
    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    for trial in sorted(waiting, key=lambda t: (RETRY_OF not in t.user_attrs, t.number)):
        try:
            if not storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING):
                continue
        except optuna.exceptions.UpdateFinishedTrialError:
            continue
        taken = Trial(study, trial._trial_id)
        taken.set_user_attr(WORKER, worker)
        return taken
    return None


def give_up(study: Study, storage: BaseStorage, trial: FrozenTrial, *, again: bool = True) -> bool:
    """End a running trial without a result and, with ``again``, enqueue its successor.

    Returns
    -------
    bool
        Whether this call was the one that ended it; of several processes one alone gets True.
    """
    try:
        if not storage.set_trial_state_values(trial._trial_id, TrialState.FAIL):
            return False
    except optuna.exceptions.UpdateFinishedTrialError:
        return False
    if again:
        repeat(study, study.get_trials(deepcopy=False)[trial.number])
    return True


def repeat(study: Study, lost: FrozenTrial) -> None:
    """Enqueue a successor of ``lost`` with its parameters, unless it was lost too often."""
    if state_of(lost) != "retried":
        return
    # Being asked to stop is nothing that the trial did; it does not use up an attempt.
    attempt = attempt_of(lost) + (INTERRUPTED not in lost.user_attrs)
    known = {name: lost.user_attrs[name] for name in _INHERITED if name in lost.user_attrs}
    study.enqueue_trial(
        lost.params or lost.system_attrs.get("fixed_params", {}),
        user_attrs=known | {RETRY_OF: lost.number, FIRST: first_attempt(lost), ATTEMPT: attempt},
    )


def give_up_stale(study: Study, storage: BaseStorage, grace_seconds: float) -> None:
    """End trials whose heartbeat stopped, wherever their worker was, and enqueue them again."""
    for trial_id in storage._get_stale_trial_ids(study._study_id):  # type: ignore[attr-defined]
        give_up(study, storage, storage.get_trial(trial_id))
    # A worker that died between taking a trial and its first heartbeat left none to miss.
    long_ago = datetime.now() - timedelta(seconds=grace_seconds)
    for trial in running(study):
        if WORKER not in trial.user_attrs and (trial.datetime_start or long_ago) < long_ago:
            give_up(study, storage, trial)


def give_up_worker(study: Study, storage: BaseStorage, worker: str) -> None:
    """End and enqueue again the trials of a worker known to be dead, without waiting."""
    for trial in running(study):
        if trial.user_attrs.get(WORKER) == worker:
            give_up(study, storage, trial)


def repeat_lost(study: Study) -> None:
    """Enqueue what should be tried again and is not: its finder died before it could."""
    trials = study.get_trials(deepcopy=False)
    successors = {trial.user_attrs.get(RETRY_OF) for trial in trials}
    for trial in trials:
        if state_of(trial) == "retried" and trial.number not in successors:
            repeat(study, trial)


def running(study: Study) -> Sequence[FrozenTrial]:
    """Return the trials that some worker is at."""
    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
