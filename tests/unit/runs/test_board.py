"""One line for steps that are done at the same time."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from recdistill.progress import PIPE
from recdistill.runs import _board
from recdistill.runs._board import Board

if TYPE_CHECKING:
    import pytest

# A process that works for a moment, and is heard.
WORK = """
from recdistill.progress import progress_told_to, progress_of
with progress_told_to(lambda share, left: None), progress_of("train sasrec", "steps", 4) as line:
    line.advance(3)
"""


def test_what_a_process_tells_is_in_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    board = Board(total=40.0)
    monkeypatch.setattr(board, "_began", board._began - 100)
    keep = board._set
    monkeypatch.setattr(board, "_set", lambda *a: (keep(*a), shown.append(board.sentence())))
    with board.follow(20.0, "train_baseline") as pipe:
        environment = os.environ | {PIPE: str(pipe)}
        command = [sys.executable, "-c", WORK]
        done = subprocess.run(
            command, env=environment, pass_fds=(pipe,), capture_output=True, check=True
        )
    assert done.stderr == b""  # not twice
    assert shown[0] == "0%: train_baseline 0%"
    assert shown[-1].startswith("38%, 2 min left: train sasrec 75%") or "3 min" in shown[-1]
    with board.follow(20.0, "distill"):
        assert board.sentence().startswith("50%")


def test_a_log_gets_plain_lines_far_apart(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Clock:
        now = 0.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(_board, "time", clock)
    board = Board(total=10.0)
    for second in range(600):
        clock.now = second
        board._set(1, 10.0, second / 600, "train")
    board.say("done")
    lines = capsys.readouterr().out.splitlines()
    assert 3 <= len(lines) <= 8
    assert lines[0] == "  ... 10%, 9 min left: train 10%"
    assert lines[-1] == "done"


def test_a_terminal_has_one_line_below_those_that_are_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "40")
    board = Board(total=10.0)
    for share in (0.2, 0.4):
        board._set(1, 10.0, share, "train sasrec on a very long name of data")
    board.say("1/2 prepare_data")
    board.close()
    shown = capsys.readouterr()
    assert shown.out == "1/2 prepare_data\n"
    assert "\n" not in shown.err
    drawn = [line for line in shown.err.split("\r") if line.strip("\x1b[K")]
    assert len(drawn) == 2
    assert all(len(line.removesuffix("\x1b[K")) < 40 for line in drawn)
    assert shown.err.endswith("\r\x1b[K")  # and it goes
