"""A service that runs is left alone, and one that runs and stays silent is started anew."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import psutil
import pytest

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
