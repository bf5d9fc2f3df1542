"""The mirror is repaired from whatever state it is in, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recdistill.sweeps import claim, reconcile
from recdistill.sweeps._queue import give_up_worker
from recdistill.sweeps._reconcile import trial_runs

if TYPE_CHECKING:
    from tests.unit.sweeps.conftest import Hill


@pytest.fixture
def done(hill: Hill) -> Hill:
    """Three finished trials."""
    hill.fill(3)
    hill.worker().work()
    return hill


def test_a_whole_mirror_is_left_alone(done: Hill) -> None:
    repairs = reconcile(done.study, done.mirror, done.space)
    assert not repairs.any()
    assert repairs.sentence() == "MLflow and Optuna agree"


def test_everything_broken_is_repaired_and_stays_so(done: Hill) -> None:
    client = done.mirror.client
    first, second, third = trial_runs(done.mirror)
    client.delete_run(first.info.run_id)
    client.update_run(second.info.run_id, status="RUNNING")
    client.set_tag(second.info.run_id, "mlflow.parentRunId", "nobody")
    done.mirror.create(done.study.get_trials()[2], {"x": 1.0})
    foreign = done.mirror.create(done.study.get_trials()[1], {"x": 1.0})
    client.set_tag(foreign, "trial.number", "77")

    repairs = reconcile(done.study, done.mirror, done.space)
    assert vars(repairs) == {
        "n_missing": 1, "n_doubled": 1, "n_foreign": 1, "n_disagreeing": 1, "n_adopted": 1,
        "n_incomplete": 0,
    }  # fmt: skip
    assert not reconcile(done.study, done.mirror, done.space).any()
    after = trial_runs(done.mirror)
    assert sorted(run.data.tags["trial.number"] for run in after) == ["0", "1", "2"]
    assert {run.info.status for run in after} == {"FINISHED"}
    assert third.info.run_id in {run.info.run_id for run in after}, "the linked run is the one kept"
    anew = next(run for run in after if run.data.tags["trial.number"] == "0")
    assert anew.data.metrics["val/ndcg_at_10"] == pytest.approx(0.51)
    assert anew.data.params["config.slope"] == "0.0"


def test_a_killed_worker_s_run_gets_the_state_of_its_trial(hill: Hill) -> None:
    hill.fill(1)
    trial = claim(hill.study, hill.storage, "dead")
    assert trial is not None
    hill.mirror.open(trial, hill.space.suggest(trial))
    give_up_worker(hill.study, hill.storage, "dead")
    assert reconcile(hill.study, hill.mirror, hill.space).n_disagreeing == 1
    (run,) = trial_runs(hill.mirror)
    assert (run.data.tags["state"], run.info.status) == ("retried", "KILLED")
