"""The line that moves: silent in a library, sparse in a log, one line in a terminal."""

from __future__ import annotations

import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill import progress
from recdistill.progress import Sparse, progress_of, progress_told_to


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def work(clock: Clock, *, seconds: int) -> list[tuple[float, float]]:
    """Do a unit per second, heard by a list."""
    heard: list[tuple[float, float]] = []
    with (
        progress_told_to(lambda share, left: heard.append((share, left))),
        progress_of("train", "steps", seconds) as line,
    ):
        for _ in range(seconds):
            clock.now += 1
            line.advance()
    return heard


def test_a_library_call_says_nothing(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress_of("train", "steps", 100) as line:
        for _ in range(100):
            clock.now += 1
            line.advance()
    assert capsys.readouterr() == ("", "")


def test_a_short_step_says_nothing(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    assert work(clock, seconds=1) == []
    assert capsys.readouterr() == ("", "")


def test_a_log_has_few_plain_lines(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    heard = work(clock, seconds=600)
    lines = capsys.readouterr().err.splitlines()
    assert 5 <= len(lines) <= 15
    assert lines[0] == "train: 2%, 10 of 600 steps, 1 per second, 10 min left"
    assert "\r" not in "".join(lines)
    assert 10 <= len(heard) <= 60
    assert heard[0] == (2 / 600, 598.0)
    assert heard[-1] == (1.0, 0.0)


def test_of_steps_within_steps_the_outermost_is_told(clock: Clock) -> None:
    heard: list[float] = []
    with (
        progress_told_to(lambda share, left: heard.append(share)),
        progress_of("train", "epochs", 2) as outer,
    ):
        for _ in range(2):
            with progress_of("evaluate", "users", 50) as inner:
                for _ in range(50):
                    clock.now += 1
                    inner.advance()
            outer.advance()
    assert set(heard) == {0.5, 1.0}


def test_what_an_earlier_process_did_is_no_rate_of_this_one(clock: Clock) -> None:
    heard: list[tuple[float, float]] = []
    with (
        progress_told_to(lambda share, left: heard.append((share, left))),
        progress_of("train", "steps") as line,
    ):
        line.expect(100, done=90)
        clock.now += 4
        line.advance(2)
    assert heard[0] == (0.92, 16.0)


def test_a_terminal_has_one_line_that_moves_and_goes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(progress, "_DELAY_SECONDS", 0.0)
    with progress_told_to(lambda share, left: None), progress_of("train", "steps", 4) as line:
        line.advance(4)
    shown = capsys.readouterr().err
    assert "\n" not in shown
    assert shown.rstrip("\r ").count("\r") >= 1


@given(times=st.lists(st.floats(0, 1e5), max_size=200).map(sorted))
def test_pauses_never_get_shorter_than_said(times: list[float]) -> None:
    sparse = Sparse(10, 30, 1 / 3)
    spoken = [t for t in times if sparse.is_due(t)]
    assert all(t >= 10 for t in spoken)
    assert all(b - a >= max(30, a / 3) - 1e-6 for a, b in pairwise(spoken))
