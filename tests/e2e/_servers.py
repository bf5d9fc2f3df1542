"""Programs that a test starts and ends by their id, and the ports they listen on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(**changes: str) -> dict[str, str]:
    """Return this environment with the project's programs first on the path."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "RECDISTILL_TEAM"))}
    return {**kept, "PATH": programs, "MLFLOW_DISABLE_TELEMETRY": "true", **changes}


def healthy(url: str) -> bool:
    """Whether the tracking server at ``url`` answers its health check."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def running(
    command: list[str], url: str, log: Path, env: Mapping[str, str], seconds: float = 90
) -> Iterator[None]:
    """Run a server until the block ends; enter the block once it answers."""
    with log.open("w") as out:
        server = subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=out, stderr=out, start_new_session=True
        )
    try:
        deadline = time.monotonic() + seconds
        while not healthy(url):
            if server.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{command[0]} did not come up:\n{log.read_text()[-3000:]}")
            time.sleep(0.2)
        yield
    finally:
        stop(server)


def stop(server: subprocess.Popen[bytes], seconds: float = 15) -> None:
    """End a server and the processes it started: politely, then by force."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, sign)
        except ProcessLookupError:
            return
        try:
            server.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
