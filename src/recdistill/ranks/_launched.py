"""Ranks that ``torchrun`` or ``srun`` started, on one host or many: read off their environment."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from recdistill.errors import UserError
from recdistill.ranks._place import Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from recdistill.ranks._group import Group
    from recdistill.ranks._settings import Devices
    from recdistill.ranks._store import Store

END = "end"

_PATIENCE_SECONDS = 1800.0  # for hosts that a scheduler starts one after the other

_led: Led | None = None


class Led:
    """The group that rank 0 of a launched job leads for as long as its stage lasts."""

    def __init__(self, group: Group) -> None:
        self.group, self._n_calls = group, 0

    def hand_out(self, call: bytes) -> None:
        """Give every other rank the next call."""
        self._say("call")
        self.group.bytes_of_lead(call)

    def dismiss(self) -> None:
        """Tell the others that there is nothing more to do, if there is anybody left to hear it."""
        with suppress(RuntimeError):  # the store went with torchrun: why the stage ends is said
            self._say(END)

    def _say(self, word: str) -> None:
        self.group.store.set(turn(self._n_calls), word)
        self._n_calls += 1

    def require(self, devices: Devices) -> None:
        """Refuse settings that ask for another number of processes than were started."""
        place = self.group.place
        if (devices.devices, devices.num_nodes) != (place.local_size, place.n_nodes):
            raise UserError(
                f"The launcher started {place.size} processes, {place.local_size} on each of "
                f"{place.n_nodes} hosts, but devices={devices.devices} and "
                f"num_nodes={devices.num_nodes}: set devices={place.local_size} and "
                f"num_nodes={place.n_nodes}, or start one process."
            )


def turn(n: int) -> str:
    """Name the place in the store where rank 0 says what comes as number ``n``."""
    return f"turn/{n}"


def launched_place(environment: Mapping[str, str] | None = None) -> Place | None:
    """Return this process's place among those that a launcher started, or None.

    A batch job's own script is no task of it: only ``srun`` sets the number of tasks of a step.
    """
    env = os.environ if environment is None else environment
    place = None
    if "TORCHELASTIC_RUN_ID" in env:
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
        place = Place(*(int(env[name]) for name in names))
    elif "SLURM_STEP_NUM_TASKS" in env and "SLURM_PROCID" in env:
        size = int(env["SLURM_STEP_NUM_TASKS"])
        n_nodes = int(env.get("SLURM_STEP_NUM_NODES", "1"))
        if size % n_nodes:
            raise UserError(
                f"srun started {size} tasks on {n_nodes} hosts: give every host the same number "
                "(--ntasks-per-node)."
            )
        place = Place(int(env["SLURM_PROCID"]), size, int(env["SLURM_LOCALID"]), size // n_nodes)
    return place if place and place.size > 1 else None


@contextmanager
def leading(place: Place) -> Iterator[None]:
    """Be rank 0 of a launched job: the others wait for calls until the block ends."""
    from recdistill.ranks._group import opened

    global _led
    with opened(place, launched_store(place)) as group:
        _led = Led(group)
        try:
            yield
        finally:
            _led.dismiss()
            _led = None


def led() -> Led | None:
    """Return the group that this process leads, where a launcher started it."""
    return _led


def launched_store(place: Place) -> Store:
    """Connect to the store of the job: torchrun's own agent keeps one, else rank 0 does."""
    from recdistill.ranks._store import joined_store, lead_store, prefixed

    address, port = _meeting_point()
    if place.rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        store = lead_store(address, port, None, _PATIENCE_SECONDS)
    else:
        store = joined_store(address, port, _PATIENCE_SECONDS)
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return prefixed(f"recdistill/{attempt}", store)


def _meeting_point() -> tuple[str, int]:
    """Address and port where the ranks meet: those given, or under SLURM those of rank 0's host.

    Lightning knows how SLURM writes lists of hosts, and takes a port from the job's number.
    """
    if "MASTER_ADDR" in os.environ and "MASTER_PORT" in os.environ:
        return os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    from pytorch_lightning.plugins.environments import (  # type: ignore[attr-defined]
        SLURMEnvironment,
    )

    # A step may run on some of the job's hosts alone; its first task is on the first of them.
    hosts = os.environ.get("SLURM_STEP_NODELIST") or os.environ.get("SLURM_NODELIST", "127.0.0.1")
    address = os.environ.get("MASTER_ADDR") or SLURMEnvironment.resolve_root_node_address(hosts)
    return address, SLURMEnvironment(auto_requeue=False).main_port
