"""A service that runs is left alone, and one that runs and stays silent is started anew."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from recdistill.errors import UserError
from tracking import _processes
from tracking._processes import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SLEEPER = "import pathlib, time; pathlib.Path('answers').touch(); time.sleep(600)"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """It answers by a file that it writes when it starts."""
    made = Service(
        "sleeper",
        [sys.executable, "-c", SLEEPER],
        tmp_path,
        ready=(tmp_path / "answers").stat,
        ports=[],
    )
    yield made
    made.stop()


def test_one_that_answers_is_left_alone(service: Service) -> None:
    assert service.start() == service.start()


def test_one_that_is_silent_is_started_anew(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL after SIGTERM waits for its clients for ever, and takes no new ones."""
    first = service.start()
    monkeypatch.setattr(_processes, "_SILENT_SECONDS", 0.5)
    (service.folder / "answers").unlink()
    second = service.start()
    assert second != first
    assert not psutil.pid_exists(first)
    assert service.answers()


def test_one_that_was_killed_is_gone_before_the_next_starts(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed process keeps its id until its parent hears of it; PostgreSQL then refuses."""
    monkeypatch.setattr(_processes, "_LEAVING_SECONDS", 60)
    first = service.start()
    killed = psutil.Process(first)
    killed.kill()
    while killed.status() != psutil.STATUS_ZOMBIE:  # a kill takes a moment on a busy machine
        time.sleep(0.01)
    heard = threading.Timer(0.3, os.waitpid, (first, 0))
    heard.start()
    gone_when_started: list[bool] = []
    popen = subprocess.Popen

    def start(*words: object, **how: object) -> object:
        gone_when_started.append(not psutil.pid_exists(first))
        return popen(*words, **how)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", start)
    assert service.start() != first
    heard.join()
    assert gone_when_started == [True]


@pytest.fixture
def taken() -> Iterator[socket.socket]:
    """Something listens there."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def test_a_port_that_another_program_has_is_refused(
    service: Service, taken: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_processes, "_LEAVING_SECONDS", 0)
    service.ports = [taken.getsockname()[1]]
    with pytest.raises(UserError, match=f"Port {service.ports[0]}, wanted by sleeper, is taken"):
        service.start()


def test_a_port_is_waited_for_while_who_had_it_leaves(
    service: Service, taken: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_processes, "_LEAVING_SECONDS", 60)
    service.ports = [taken.getsockname()[1]]
    leaving = threading.Timer(0.2, taken.close)
    leaving.start()
    assert service.start()
    leaving.join()
