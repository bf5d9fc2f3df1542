"""A worker in this process: what it trains, tells, prunes and survives."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from mlflow.exceptions import MlflowException

from recdistill.sweeps import tally
from recdistill.sweeps._queue import ERROR, give_up
from recdistill.sweeps._reconcile import trial_runs
from recdistill.sweeps._study import halted
from recdistill.sweeps._worker import Interrupted
from tests.unit.sweeps import toy
from tests.unit.sweeps.conftest import Hill, make_hill

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mlflow import MlflowClient


def states(hill: Hill) -> dict[str, str]:
    return {
        r.info.run_name: f"{r.data.tags['state']} {r.info.status}" for r in trial_runs(hill.mirror)
    }


def test_a_worker_does_every_trial_and_mlflow_shows_them(hill: Hill) -> None:
    hill.fill(3)
    assert hill.worker().work() == 3
    runs = trial_runs(hill.mirror)
    assert tally(hill.study) == {"complete": 3}
    assert set(states(hill).values()) == {"complete FINISHED"}
    first = runs[0]
    assert first.info.run_name == "000 nothing"
    assert first.data.params == {"config.x": "0.0", "config.slope": "0.0"}
    assert first.data.metrics["val/ndcg_at_10"] == pytest.approx(0.51)
    assert first.data.metrics["delta/val_ndcg_at_10_vs_baseline"] == pytest.approx(0.01)
    assert first.data.metrics["time/overhead_seconds"] > 0
    assert not (hill.folder / "checkpoints" / "0").exists(), "what is done needs no checkpoint"


def test_whoever_takes_a_trial_draws_the_same(store: MlflowClient, tmp_path: Path) -> None:
    drawn = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        hill = make_hill(store, tmp_path / name, sampler="random")
        hill.fill(4)
        hill.worker(name=f"{name}:1:a").work()
        drawn.append([trial.params for trial in hill.study.get_trials()])
    assert drawn[0] == drawn[1]


def test_a_failed_trial_is_counted_and_says_why(hill: Hill) -> None:
    def sometimes(settings: Mapping[str, Any], **rest: Any) -> Mapping[str, float]:
        if settings["x"] == 0:
            raise ArithmeticError("the loss is no number")
        return toy.climb(settings, **rest)

    hill.fill(3)
    hill.worker(sometimes).work()
    assert tally(hill.study) == {"failed": 1, "complete": 2}
    assert "the loss is no number" in hill.study.get_trials()[0].user_attrs[ERROR]
    assert states(hill)["000 nothing"] == "failed FAILED"


def test_a_sweep_of_which_nothing_works_stops_and_says_why(hill: Hill) -> None:
    def never(settings: Mapping[str, Any], **_: Any) -> Mapping[str, float]:
        raise ValueError("no such teacher")

    hill.fill(10)
    hill.worker(never).work()
    assert tally(hill.study) == {"failed": 3, "waiting": 7}
    assert "no such teacher" in halted(hill.study)


def test_what_falls_behind_is_pruned_but_never_a_known_point(
    store: MlflowClient, tmp_path: Path
) -> None:
    hill = make_hill(store, tmp_path, pruner="median", n_startup=2, sampler="random")
    hill.fill(14)
    hill.worker().work()
    counts = tally(hill.study)
    assert counts["pruned"] > 0
    assert counts["pruned"] + counts["complete"] == 14
    assert hill.study.get_trials()[0].state is optuna.trial.TrialState.COMPLETE
    assert "pruned KILLED" in states(hill).values()


@pytest.mark.slow
def test_sigterm_hands_the_trial_back_and_the_next_worker_goes_on_from_its_checkpoint(
    hill: Hill,
) -> None:
    seen: list[int] = []

    def interrupted(settings: Mapping[str, Any], **rest: Any) -> Mapping[str, float]:
        log = rest.pop("log")

        def hear(metrics: Mapping[str, float], epoch: int) -> None:
            seen.append(epoch)
            log(metrics, epoch)
            if len(seen) == 2:
                os.kill(os.getpid(), signal.SIGTERM)

        return toy.climb(settings, log=hear, **rest)

    hill.fill(1)
    with pytest.raises(Interrupted):
        hill.worker(interrupted).work()
    assert tally(hill.study) == {"retried": 1, "waiting": 1}
    assert states(hill) == {"000 nothing": "retried KILLED"}
    assert hill.worker(interrupted).work() == 1
    assert seen == [1, 2, 2, 3], "epoch 1 had been kept, and epoch 2 not yet"


def test_what_fails_because_the_sweep_is_gone_is_handed_back(
    hill: Hill, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The temporary files that a sweep keeps for its workers go when it is dead, before they do."""
    gone = False

    def fail(settings: Mapping[str, Any], **rest: Any) -> Mapping[str, float]:
        nonlocal gone
        gone = True
        raise FileNotFoundError("tmp/checkpoint")

    monkeypatch.setattr("recdistill.sweeps._worker.sweep_is_gone", lambda: gone)
    hill.fill(1)
    with pytest.raises(Interrupted):
        hill.worker(fail).work()
    assert tally(hill.study) == {"retried": 1, "waiting": 1}


@pytest.mark.parametrize("at", ["an epoch", "an error", "the end", "a signal"])
def test_a_worker_that_was_held_for_dead_leaves_its_trial_to_its_successor(
    hill: Hill, at: str
) -> None:
    def silent(settings: Mapping[str, Any], **rest: Any) -> Mapping[str, float]:
        first = hill.study.get_trials()[0]
        if not give_up(hill.study, hill.storage, first):
            return toy.climb(settings, **rest)
        if at == "an error":
            raise ArithmeticError("the loss is no number")
        if at == "a signal":
            os.kill(os.getpid(), signal.SIGTERM)
        if at == "the end":
            return {"epoch": 1.0, "val/ndcg_at_10": 0.1}
        return toy.climb(settings, **rest)

    hill.fill(1)
    if at == "a signal":
        with pytest.raises(Interrupted):
            hill.worker(silent).work()
    assert hill.worker(silent).work() == 1
    assert tally(hill.study) == {"retried": 1, "complete": 1}
    assert hill.study.get_trials()[1].value > 0.5
    assert states(hill) == {
        "000 nothing": "retried KILLED",
        "001 nothing (attempt 2)": "complete FINISHED",
    }


def test_cost_is_a_second_objective(store: MlflowClient, tmp_path: Path) -> None:
    hill = make_hill(store, tmp_path, objectives=["val/ndcg_at_10", "cost"])
    hill.fill(2)
    hill.worker().work()
    assert all(trial.values[1] > 0 for trial in hill.study.get_trials())


def test_a_tracking_store_that_is_away_stops_no_trial(
    hill: Hill, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise MlflowException("no answer")

    hill.fill(2)
    with monkeypatch.context() as patch:
        patch.setattr(hill.mirror.client, "create_run", away)
        hill.worker().work()
    assert tally(hill.study) == {"complete": 2}
    assert trial_runs(hill.mirror) == []
