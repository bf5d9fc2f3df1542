from __future__ import annotations

import os
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from torch import distributed

from recdistill.errors import UserError
from recdistill.ranks import (
    Devices,
    Group,
    Place,
    _group,
    _launched,
    launched_place,
    leading,
    together,
)
from recdistill.ranks._faults import explained, lost_another, tell
from recdistill.ranks._launched import Led

if TYPE_CHECKING:
    from collections.abc import Iterator

TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "none",
    "RANK": "5",
    "WORLD_SIZE": "8",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "4",
}
SRUN = {
    "SLURM_STEP_NUM_TASKS": "8",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_PROCID": "5",
    "SLURM_LOCALID": "1",
}


@pytest.mark.parametrize("environment", [TORCHRUN, SRUN])
def test_a_launchers_process_knows_its_place(environment: dict[str, str]) -> None:
    place = launched_place(environment)
    assert place == Place(5, 8, 1, 4)
    assert (place.node, place.n_nodes, str(place)) == (1, 2, "rank 5 of 8")


@pytest.mark.parametrize(
    ("environment", "meeting_point"),
    [
        ({"MASTER_ADDR": "a", "MASTER_PORT": "1234"}, ("a", 1234)),
        ({"SLURM_JOB_ID": "70012", "SLURM_NODELIST": "gpu[3-9]"}, ("gpu3", 15012)),
        # A step on two of the job's hosts; and another one beside it.
        ({"SLURM_NODELIST": "gpu[3-9]", "SLURM_STEP_NODELIST": "gpu[7,9]"}, ("gpu7", 12910)),
        ({"SLURM_STEP_NODELIST": "gpu[7,9]", "MASTER_PORT": "1235"}, ("gpu7", 1235)),
    ],
)
def test_the_ranks_meet_on_the_first_host_of_their_step(
    environment: dict[str, str], meeting_point: tuple[str, int]
) -> None:
    with mock.patch.dict(os.environ, environment, clear=True):
        assert _launched._meeting_point() == meeting_point


@pytest.mark.parametrize(
    "environment",
    [
        {},
        TORCHRUN | {"WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"},
        SRUN | {"SLURM_STEP_NUM_TASKS": "1", "SLURM_STEP_NUM_NODES": "1", "SLURM_PROCID": "0"},
        # The batch script itself, where nobody said srun.
        {"SLURM_NTASKS": "8", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"},
    ],
)
def test_a_process_alone_is_nobodys_rank(environment: dict[str, str]) -> None:
    assert launched_place(environment) is None


def test_hosts_with_unequal_numbers_of_tasks_are_refused() -> None:
    with pytest.raises(UserError, match=r"7 tasks on 2 hosts.*ntasks-per-node"):
        launched_place(SRUN | {"SLURM_STEP_NUM_TASKS": "7"})


def test_settings_must_ask_for_what_was_started() -> None:
    led = Led(SimpleNamespace(place=Place(0, 8, 0, 4)))  # type: ignore[arg-type]
    led.require(Devices(devices=4, num_nodes=2))
    with pytest.raises(UserError, match=r"devices=4 and num_nodes=2"):
        led.require(Devices(devices=8))


def test_several_hosts_need_a_launcher() -> None:
    with pytest.raises(UserError, match="torchrun or srun"):
        together(Devices(num_nodes=2), print)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"devices": 0}, "devices is 0"),
        ({"num_nodes": -1}, "num_nodes is -1"),
        ({"strategy": "tp"}, "ddp, fsdp"),
    ],
)
def test_impossible_numbers_end_in_a_sentence(given: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Devices(**given)  # type: ignore[arg-type]


def test_a_student_is_not_shared_out() -> None:
    Devices(devices=4).require_replicas()
    with pytest.raises(UserError, match="leave strategy at ddp"):
        Devices(strategy="fsdp").require_replicas()


def test_one_device_is_a_plain_call() -> None:
    assert together(Devices(), max, 3, 5) == 5
    assert together(Devices(), sorted, [1, 2], own={"reverse": True}) == [2, 1]


class GoneStore:
    """A store whose keeper has ended, as when torchrun stops every process of a host."""

    def set(self, key: str, value: str) -> None:
        raise distributed.DistNetworkError("failed to send: Broken pipe")


def test_a_job_whose_store_is_gone_still_ends_in_the_users_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = Place(0, 2, 0, 2)

    @contextmanager
    def opened(place: Place, store: object) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(place=place, store=store)

    monkeypatch.setattr(_launched, "launched_store", lambda _place: GoneStore())
    monkeypatch.setattr(_group, "opened", opened)
    with pytest.raises(UserError, match="is no data set"), leading(place):
        raise UserError("ml-1x is no data set.")
    assert _launched.led() is None


class Words:
    """A store in this process."""

    def __init__(self) -> None:
        self.words: dict[str, str] = {}

    def set(self, key: str, value: str) -> None:
        self.words[key] = value

    def get(self, key: str) -> bytes:
        return self.words[key].encode()

    def check(self, keys: list[str]) -> bool:
        return all(key in self.words for key in keys)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UserError("This share is empty."), r"^Rank 1 of 2 on [^:]+: This share is empty\.$"),
        (ValueError("no such thing"), r"^Rank 1 .* \(ValueError: no such thing\)\. Start the same"),
    ],
)
def test_rank_0_says_why_another_one_ended(error: Exception, said: str) -> None:
    store = Words()
    tell(Group(Place(1, 2, 1, 2), store), error)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=said), explained(Group(Place(0, 2, 0, 2), store)):  # type: ignore[arg-type]
        raise distributed.DistNetworkError("recv, got 0 bytes")


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (distributed.DistNetworkError("recv, got 0 bytes"), True),
        (RuntimeError("[gloo/transport/tcp/pair.cc:553] Connection closed by peer"), True),
        (RuntimeError("NCCL communicator was aborted on rank 0."), True),
        (distributed.DistBackendError("NCCL error: a remote process exiting prematurely"), True),
        (distributed.DistBackendError("NCCL error: unhandled cuda error, out of memory"), False),
        (RuntimeError("The kernel aborted: no image for this device"), False),
        (RuntimeError("Too many open files: connection closed"), False),
        (ValueError("broken pipe"), False),
    ],
)
def test_only_what_a_connection_says_is_the_loss_of_a_rank(error: Exception, lost: bool) -> None:
    assert lost_another(error) == lost
