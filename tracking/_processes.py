"""Services as plain processes: each has a log and a file with its id, and is ended by that id."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psutil

from recdistill.errors import UserError
from tracking._settings import SECRETS_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SILENT_SECONDS = 30.0
# The first thread of a process is gone before the others have closed its sockets.
_LEAVING_SECONDS = 3


@dataclass
class Service:
    """One process (with whatever it starts itself).

    Attributes
    ----------
    ready : raises while the service does not answer yet.
    identity : arguments of Popen that give up root, if there is root to give up.
    home : its private folder; None is that of whoever starts it.
    goodbye : the signal that asks it to end cleanly.
    patience : seconds it may take to end before it is forced.
    """

    name: str
    command: list[str]
    folder: Path
    ready: Callable[[], object]
    ports: list[int]
    env: dict[str, str] = field(default_factory=dict, repr=False)
    identity: dict[str, Any] = field(default_factory=dict)
    home: Path | None = None
    goodbye: int = signal.SIGTERM
    patience: float = 20

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self.folder / f"{self.name}.log"

    @property
    def _note(self) -> Path:
        return self.folder / f"{self.name}.pid"

    def process(self) -> psutil.Process | None:
        """Return the process while it lives, and nobody else's that got its id since."""
        process = self._noted()
        try:
            lives = process is not None and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return None
        return process if lives else None

    def _noted(self) -> psutil.Process | None:
        """Return the process of the note, also one that ended and whose parent knows nothing."""
        try:
            note = json.loads(self._note.read_text())
            process = psutil.Process(note["pid"])
            return process if abs(process.create_time() - note["started"]) < 1 else None
        except (OSError, ValueError, psutil.NoSuchProcess):
            return None

    def answers(self) -> bool:
        """Whether it is ready at this moment."""
        try:
            self.ready()
        except Exception:
            return False
        return True

    def start(self, patience: float = 300) -> int:
        """Start it unless it runs; return its id once it answers.

        One that runs and stays silent is ended and started anew: PostgreSQL, asked to end by
        SIGTERM, takes nobody new and waits for ever for those that are connected.

        Raises
        ------
        UserError
            When a port is taken, or it ends or stays silent; the end of its log is in the sentence.
        """
        if self.process() is not None and not self._answers_within(_SILENT_SECONDS):
            self.stop()
        process = self.process()
        if process is None:
            self._wait_until_gone()
            for port in self.ports:
                _require_free(self.name, port)
            # Ids and logs are for the owner alone: a log may quote an address.
            descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "ab") as log:
                child = subprocess.Popen(
                    self.command,
                    env=self._environment(),
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    umask=0o077,
                    **self.identity,
                )
            process = psutil.Process(child.pid)
            note = {"pid": child.pid, "started": process.create_time()}
            self._note.write_text(json.dumps(note))
        deadline = time.monotonic() + patience
        while not self.answers():
            if self.process() is None or time.monotonic() > deadline:
                self.stop()
                raise UserError(f"{self.name} did not start. End of {self.log}:\n{self._tail()}")
            time.sleep(0.3)
        return int(process.pid)

    def _wait_until_gone(self) -> None:
        """Wait a moment for one that was just killed: PostgreSQL takes its id for one that runs."""
        deadline = time.monotonic() + _LEAVING_SECONDS
        while self._noted() is not None and time.monotonic() < deadline:
            time.sleep(0.1)

    def _answers_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not self.answers():
            if self.process() is None or time.monotonic() > deadline:
                return False
            time.sleep(0.3)
        return True

    def stop(self) -> bool:
        """Ask it and its children to end, and force what stays; False when it did not run."""
        process = self.process()
        if process is None:
            self._note.unlink(missing_ok=True)
            return False
        family = [process, *process.children(recursive=True)]
        process.send_signal(self.goodbye)
        _, staying = psutil.wait_procs(family, timeout=self.patience)
        for one in staying:
            one.kill()
        psutil.wait_procs(staying, timeout=5)
        self._note.unlink(missing_ok=True)
        return True

    def _environment(self) -> dict[str, str]:
        """Of whoever starts it, without the secrets that are for the other services."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(SECRETS_PREFIX)}
        home = {"HOME": str(self.home), "TMPDIR": str(self.home)} if self.home else {}
        return {**kept, **home, **self.env}

    def _tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-12:])


def _require_free(name: str, port: int) -> None:
    """Refuse a port that stays taken; a service that was just killed may be a moment in leaving."""
    deadline = time.monotonic() + _LEAVING_SECONDS
    while not _is_free(port):
        if time.monotonic() > deadline:
            raise UserError(
                f"Port {port}, wanted by {name}, is taken; free it or choose another in the "
                "settings file."
            )
        time.sleep(0.1)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
