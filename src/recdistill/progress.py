"""One line that moves while a step takes time; sparse plain lines where no terminal is.

Silent unless a stage listens (:func:`progress_told_to`): whoever uses the library gets no output.
Of steps within steps the outermost is shown.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Protocol

from tqdm import tqdm

if TYPE_CHECKING:
    from collections.abc import Iterator

PIPE = "RECDISTILL_PROGRESS_PIPE"
"""Environment variable: the descriptor on which a process tells the one that started it how far
it is, as lines of a share and a step's name."""

_DELAY_SECONDS = 2.0
_BAR = "{desc} {percentage:3.0f}% |{bar:24}| {n_fmt}/{total_fmt}, {rate_fmt}, {remaining} left"


class Listener(Protocol):
    """Who keeps the progress, as a run does."""

    def __call__(self, share: float, seconds_left: float) -> None:
        """Take the share of a step that is done, 0 to 1, and the seconds that the rest takes."""


class Sparse:
    """Says when to speak again: after a first wait, then ever more rarely.

    Parameters
    ----------
    first, every : float
        Seconds before the first time, and at least between two.
    growth : float
        The pause grows to this share of the time that has passed.
    """

    def __init__(self, first: float, every: float, growth: float) -> None:
        self._next, self._every, self._growth = first, every, growth

    def is_due(self, elapsed: float) -> bool:
        """Whether to speak ``elapsed`` seconds after the start; counts as spoken."""
        if elapsed < self._next:
            return False
        self._next = elapsed + max(self._every, self._growth * elapsed)
        return True


class Line:
    """How far one step is. Made by :func:`progress_of`."""

    def __init__(self, what: str, unit: str, listener: Listener | None) -> None:
        self.what, self.unit, self._listener = what, unit, listener
        self.done, self.total, self._before = 0, 0, 0
        self._began = time.monotonic()
        self._words, self._figures = Sparse(10, 30, 1 / 3), Sparse(_DELAY_SECONDS, 10, 0.1)
        self._moves = Sparse(0, 0.5, 0)
        self._told = False
        self._pipe = None if listener is None else _pipe()
        self._bar: tqdm[None] | None = None
        if listener is not None and self._pipe is None and sys.stderr.isatty():
            self._bar = tqdm(
                desc=what,
                unit=f" {unit}",
                total=0,
                leave=False,
                delay=_DELAY_SECONDS,
                mininterval=0.2,
                dynamic_ncols=True,
                bar_format=_BAR,
            )

    def expect(self, total: int, *, done: int = 0) -> None:
        """Set how much there is to do, and how much of it an earlier process has done."""
        self.total, self.done, self._before = total, done, done
        if self._bar is not None:
            self._bar.total, self._bar.initial, self._bar.n = total, done, done

    def advance(self, n: int = 1) -> None:
        """Count ``n`` more as done."""
        self.reach(self.done + n, self.total)

    def reach(self, done: int, total: int) -> None:
        """Have ``done`` of ``total`` units done."""
        moved, self.done, self.total = done - self.done, done, total
        if self._listener is None or total <= 0:
            return
        elapsed = time.monotonic() - self._began
        if self._bar is not None:
            self._bar.total = total
            self._bar.update(moved)
        elif self._words.is_due(elapsed):
            sys.stderr.write(f"{self.sentence(elapsed)}\n")
            sys.stderr.flush()
        if self._pipe is not None and self._moves.is_due(elapsed):
            with suppress(OSError):  # nobody reads any more
                os.write(self._pipe, f"{done / total:.4f} {self.what}\n".encode())
        if self._figures.is_due(elapsed):
            self._told = True
            self._listener(done / total, self.seconds_left(elapsed))

    def seconds_left(self, elapsed: float) -> float:
        """Seconds for the rest at the rate so far."""
        own = self.done - self._before
        return elapsed * (self.total - self.done) / own if own else float("inf")

    def sentence(self, elapsed: float) -> str:
        """Say share, rate and time left as a line of a log."""
        rate = (self.done - self._before) / elapsed
        return (
            f"{self.what}: {self.done / self.total:.0%}, {self.done:,} of {self.total:,} "
            f"{self.unit}, {rate:.3g} per second, {duration(self.seconds_left(elapsed))} left"
        )

    def close(self) -> None:
        """Take the line away."""
        if self._bar is not None:
            self._bar.close()

    def finish(self) -> None:
        """Tell of the end, also of a step that stopped before its estimated total."""
        if self._listener is not None and self._told:
            self._listener(1.0, 0.0)


_listening: ContextVar[Listener | None] = ContextVar("listening", default=None)


@contextmanager
def progress_told_to(listener: Listener | None) -> Iterator[None]:
    """Show the progress of the steps within the block and tell it to ``listener``, if any."""
    token = _listening.set(listener)
    try:
        yield
    finally:
        _listening.reset(token)


@contextmanager
def progress_of(what: str, unit: str, total: int = 0) -> Iterator[Line]:
    """Show how far the block is, once it takes more than two seconds.

    Parameters
    ----------
    what : str
        What is being done, as "train sasrec".
    unit : str
        Of what is counted, in the plural: "steps", "users".
    total : int
        How much there is to do, where that is known already; see ``Line.expect``.
    """
    line = Line(what, unit, _listening.get())
    line.expect(total)
    with progress_told_to(None):
        try:
            yield line
            line.finish()
        finally:
            line.close()


@cache
def _pipe() -> int | None:
    """Return the descriptor that another process reads; a number that only looks like one is none.

    The variable is taken away: what this process starts has not inherited the descriptor.
    """
    with suppress(ValueError, OSError):
        descriptor = int(os.environ.pop(PIPE, ""))
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            return descriptor
    return None


def duration(seconds: float) -> str:
    """Say a number of seconds to a person.

    Examples
    --------
    >>> duration(95.2), duration(260)
    ('95 s', '4 min')
    """
    if seconds == float("inf"):
        return "unknown time"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
