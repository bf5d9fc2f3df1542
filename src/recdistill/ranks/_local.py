"""Ranks on this host alone: processes that rank 0 starts, hands one call, and sees end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import torch
from torch import distributed

from recdistill.errors import UserError
from recdistill.progress import PIPE
from recdistill.ranks._faults import LOST
from recdistill.ranks._group import opened
from recdistill.ranks._place import Place
from recdistill.ranks._store import lead_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from recdistill.ranks._group import Group
    from recdistill.ranks._store import Store

HOST = "127.0.0.1"
RANK, SIZE, PORT = "RECDISTILL_RANK", "RECDISTILL_RANKS", "RECDISTILL_RANK_PORT"

_START_SECONDS = 600.0  # a busy machine imports torch and Lightning for a minute
_END_SECONDS = 20.0
_GRACE_SECONDS = 10.0


class Followers:
    """The processes of ranks 1, 2, ..., each with its last words in a file."""

    def __init__(self, size: int, port: int) -> None:
        self._size = size
        self._folder = tempfile.TemporaryDirectory(prefix="recdistill-ranks-")
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        for rank in range(1, size):
            with self._words(rank).open("wb") as words:
                self._processes[rank] = subprocess.Popen(
                    [sys.executable, "-m", "recdistill.ranks._follow"],
                    env=_environment(rank, size, port),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=words,
                    # Ctrl-C is for rank 0, which ends the others itself.
                    start_new_session=True,
                )

    def send(self, call: bytes) -> None:
        """Hand the call to each; the pipe stays open and says by its end that rank 0 is gone."""
        for process in self._processes.values():
            pipe = process.stdin
            if pipe is not None:
                with suppress(BrokenPipeError):  # it died; whoever waits for it says so
                    pipe.write(len(call).to_bytes(8, "big") + call)
                    pipe.flush()

    def await_all(self, store: Store) -> None:
        """Wait until each has read its call.

        Raises
        ------
        UserError
            When one of them ends, or takes too long.
        """
        waiting, until = [f"here/{rank}" for rank in self._processes], time.monotonic()
        until += _START_SECONDS
        while waiting and time.monotonic() < until:
            waiting = [key for key in waiting if not store.check([key])]
            if said := self.died():
                raise UserError(said)
            time.sleep(0.05)
        if waiting:
            raise UserError(
                f"{len(waiting)} of the {self._size} processes did not start within "
                f"{_START_SECONDS:g} s: ask for fewer devices, or free the machine."
            )

    def died(self) -> str | None:
        """Say which rank ended, and how, if one did that should not have."""
        for rank, process in self._processes.items():
            code = process.poll()
            if code not in (None, 0, LOST):
                return f"Rank {rank} of {self._size} {_how(code)}{self._last_words(rank)}."
        return None

    def watch(self, over: threading.Event) -> None:
        """Break off what rank 0 waits for, where a rank died and nothing noticed.

        Gloo hears of a closed connection at once; NCCL may wait for its timeout.
        """
        while not over.wait(1.0):
            if self.died() and not over.wait(_GRACE_SECONDS):
                world = distributed.group.WORLD
                if world is not None:
                    world.abort()
                return

    def end(self, *, failed: bool) -> None:
        """Wait for those that finish, end the others."""
        until = time.monotonic() + (0.0 if failed else _END_SECONDS)
        for process in self._processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, until - time.monotonic()))
            if process.poll() is None:
                process.kill()
                process.wait()
            if process.stdin is not None:
                with suppress(BrokenPipeError):
                    process.stdin.close()
        self._folder.cleanup()

    def _words(self, rank: int) -> Path:
        return Path(self._folder.name) / f"rank-{rank}.txt"

    def _last_words(self, rank: int) -> str:
        lines = self._words(rank).read_text(errors="replace").strip().splitlines()
        return f" ({lines[-1].strip()[:300]})" if lines else ""


@contextmanager
def local_group(size: int, call: bytes) -> Iterator[tuple[Group, Followers]]:
    """Start ``size - 1`` processes on this host, hand them the call, connect with them."""
    listener = socket.create_server((HOST, 0))
    port = int(listener.getsockname()[1])
    store = lead_store(HOST, port, listener, _START_SECONDS)
    followers, over, failed = Followers(size, port), threading.Event(), True
    watch = threading.Thread(target=followers.watch, args=[over], daemon=True)
    threads = torch.get_num_threads()
    try:
        with on_loopback():
            followers.send(call)
            followers.await_all(store)
            if "OMP_NUM_THREADS" not in os.environ:
                torch.set_num_threads(_threads(size))
            with opened(Place(0, size, 0, size), store) as group:
                watch.start()
                yield group, followers
        failed = False
    finally:
        over.set()
        torch.set_num_threads(threads)
        followers.end(failed=failed)


@contextmanager
def on_loopback() -> Iterator[None]:
    """Let gloo and NCCL listen on this host's own address only."""
    names = [
        name
        for name, addresses in psutil.net_if_addrs().items()
        if any(address.address == HOST for address in addresses)
    ]
    own = dict.fromkeys(("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"), names[0]) if names else {}
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _environment(rank: int, size: int, port: int) -> Mapping[str, str]:
    """Give a follower our modules, its number, and neither our run nor our progress line."""
    ours = {
        RANK: str(rank),
        SIZE: str(size),
        PORT: str(port),
        "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(_threads(size))),
        "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE"),
    }
    kept = {k: v for k, v in os.environ.items() if k not in (PIPE, "MLFLOW_RUN_ID")}
    return kept | ours


def _threads(size: int) -> int:
    return max(1, len(os.sched_getaffinity(0)) // size)


def _how(code: int | None) -> str:
    if code is None or code >= 0:
        return f"left with status {code}"
    name = signal.Signals(-code).name
    memory = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    return f"was ended by {name}{memory}"
