"""Places are taken once, the dead give theirs back, and the count is kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from recdistill.sweeps import (
    claim,
    open_storage,
    state_of,
    tally,
    top_up,
)
from recdistill.sweeps._queue import (
    INTERRUPTED,
    MAX_ATTEMPTS,
    POINT,
    RETRY_OF,
    give_up,
    give_up_worker,
    n_finished,
    repeat_lost,
)

if TYPE_CHECKING:
    from tests.unit.sweeps.conftest import Hill


def test_known_points_come_first_and_the_rest_is_open(hill: Hill) -> None:
    assert hill.fill(3) == 3
    first, second, _ = hill.study.get_trials()
    assert first.user_attrs == {POINT: "nothing"}
    assert first.system_attrs["fixed_params"] == {"x": 0.0, "slope.on": False}
    assert second.system_attrs["fixed_params"] == {}


def test_topping_up_counts_what_is_there(hill: Hill) -> None:
    hill.fill(3)
    trial = claim(hill.study, hill.storage, "w")
    assert trial is not None
    hill.study.tell(trial, 0.5)
    assert hill.fill(5) == 4
    assert tally(hill.study) == {"complete": 1, "waiting": 4}
    assert hill.fill(5) == 4, "asking again adds nothing"


def test_many_hands_take_every_place_exactly_once(hill: Hill) -> None:
    hill.fill(12)

    def take(worker: int) -> list[int]:
        storage = open_storage(hill.url, heartbeat_seconds=1)
        taken = []
        while (trial := claim(hill.study, storage, f"w{worker}")) is not None:
            taken.append(trial.number)
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [number for numbers in pool.map(take, range(4)) for number in numbers]
    assert sorted(taken) == list(range(12))


def test_who_asks_for_fewer_trials_gets_no_more_than_that(hill: Hill) -> None:
    hill.fill(30)
    for _ in range(5):
        trial = claim(hill.study, hill.storage, "w")
        assert trial is not None
        hill.study.tell(trial, 0.1)
    assert top_up(hill.study, 8, {}) == 3
    assert tally(hill.study) == {"complete": 5, "waiting": 3, "unwanted": 22}
    assert top_up(hill.study, 3, {}) == 0
    assert claim(hill.study, hill.storage, "w") is None
    assert top_up(hill.study, 6, {}) == 1, "and more again"
    assert tally(hill.study)["waiting"] == 1


def test_a_dead_worker_s_trial_is_done_again_with_the_same_parameters(hill: Hill) -> None:
    hill.fill(2)
    trial = claim(hill.study, hill.storage, "dead")
    assert trial is not None
    hill.space.suggest(trial)
    give_up_worker(hill.study, hill.storage, "dead")
    assert tally(hill.study) == {"retried": 1, "waiting": 2}
    again = claim(hill.study, hill.storage, "alive")
    assert again is not None
    assert again.user_attrs[RETRY_OF] == trial.number
    assert hill.space.suggest(again) == hill.space.values(trial.params)


def test_of_two_that_find_the_same_dead_trial_one_retries_it(hill: Hill) -> None:
    hill.fill(1)
    claim(hill.study, hill.storage, "dead")
    dead = hill.study.get_trials()[0]
    other = open_storage(hill.url, heartbeat_seconds=1)
    assert [give_up(hill.study, hill.storage, dead), give_up(hill.study, other, dead)] == [
        True,
        False,
    ]
    assert tally(hill.study) == {"retried": 1, "waiting": 1}


def test_a_trial_that_kills_every_worker_ends_as_failed(hill: Hill) -> None:
    hill.fill(1)
    for _ in range(MAX_ATTEMPTS):
        assert claim(hill.study, hill.storage, "dead") is not None
        give_up_worker(hill.study, hill.storage, "dead")
    assert tally(hill.study) == {"retried": MAX_ATTEMPTS - 1, "failed": 1}
    assert n_finished(tally(hill.study)) == 1
    assert top_up(hill.study, 1, {}) == 0


def test_being_interrupted_uses_up_no_attempt(hill: Hill) -> None:
    hill.fill(1)
    for _ in range(MAX_ATTEMPTS + 2):
        trial = claim(hill.study, hill.storage, "w")
        assert trial is not None
        trial.set_user_attr(INTERRUPTED, True)
        give_up(hill.study, hill.storage, hill.study.get_trials()[trial.number])
    assert tally(hill.study)["waiting"] == 1
    assert tally(hill.study)["failed"] == 0


def test_a_retry_that_its_finder_could_not_enqueue_is_found_later(hill: Hill) -> None:
    hill.fill(1)
    claim(hill.study, hill.storage, "dead")
    give_up(hill.study, hill.storage, hill.study.get_trials()[0], again=False)
    assert tally(hill.study) == {"retried": 1}
    repeat_lost(hill.study)
    repeat_lost(hill.study)
    assert tally(hill.study) == {"retried": 1, "waiting": 1}
    assert [state_of(trial) for trial in hill.study.get_trials()] == ["retried", "waiting"]
