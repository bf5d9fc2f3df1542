from __future__ import annotations

from types import SimpleNamespace

import pytest

from recdistill.errors import UserError
from recdistill.ranks import Devices, Place, launched_place, together
from recdistill.ranks._launched import Led

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
