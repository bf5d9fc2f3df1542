"""One kill: what is sent when, and how to wait for what is left of a process."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    import random

WAYS = {
    "kill": (signal.SIGKILL,),
    "term": (signal.SIGTERM,),
    "int": (signal.SIGINT,),
    "int int": (signal.SIGINT, signal.SIGINT),
    "term kill": (signal.SIGTERM, signal.SIGKILL),
}
PATIENCE_SECONDS = 300.0
_BETWEEN_SECONDS = 0.3


@dataclass
class Kill:
    """One kill, and what was wrong afterwards: empty lists are what is wanted.

    Attributes
    ----------
    number : draws target, way and moment, together with the seed.
    at_s : seconds after the start.
    landed : whether there was still something to kill.
    code : digest of the code that was killed.
    """

    number: int
    target: str
    way: str
    at_s: float
    code: str
    landed: bool = True
    cpu_s: float = 0.0
    lost: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)

    def holds(self) -> bool:
        """Whether nothing was wrong."""
        return not (self.lost or self.changed or self.stuck or self.leftovers)

    def strike(self, process: int, draw: random.Random) -> None:
        """Send the signals to a child of ours that is not waited for yet."""
        self.landed = psutil.Process(process).status() != psutil.STATUS_ZOMBIE
        for number in WAYS[self.way]:
            os.kill(process, number)
            time.sleep(draw.uniform(0, _BETWEEN_SECONDS))


def ended(process: int, patience: float = PATIENCE_SECONDS) -> int | None:
    """Wait for a child; its exit status (negative: the signal), or None if it had to be ended."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        pid, status = os.waitpid(process, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return None


def remaining(session: int, patience: float = 30.0) -> list[str]:
    """Name the processes of a session that outlive its leader for long, and end them."""
    deadline = time.monotonic() + patience
    while found := [p for p in psutil.process_iter() if _session(p.pid) == session]:
        if time.monotonic() > deadline:
            said = [f"process {p.pid} is left: {' '.join(p.cmdline())[:200]}" for p in found]
            for process in found:
                process.kill()
            return said
        time.sleep(0.1)
    return []


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return -1
