"""One line for several steps that are done at the same time, and lines of those that are done."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from recdistill.progress import Sparse, duration

if TYPE_CHECKING:
    from collections.abc import Iterator

_LEAST_SHARE = 0.05  # before, how long it all takes is a guess


class Board:
    """Shows how far a number of steps is.

    In a terminal, one line that moves below the lines of finished steps. Elsewhere plain lines of
    it, a minute apart and ever rarer.

    Parameters
    ----------
    total : float
        Weight of all the steps together, as the seconds that they are expected to take.
    """

    def __init__(self, total: float) -> None:
        self._total, self._done = total, 0.0
        self._working: dict[int, tuple[float, float, str]] = {}  # weight, share, what
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._moves = sys.stderr.isatty()
        self._words = Sparse(60, 60, 1 / 3)

    @contextmanager
    def follow(self, weight: float, what: str) -> Iterator[int]:
        """Show a step for as long as the block takes.

        Yields
        ------
        int
            The descriptor on which the step's process tells how far it is
            (:data:`recdistill.progress.PIPE`).
        """
        reading, writing = os.pipe()
        reader = threading.Thread(target=self._read, args=(reading, weight), daemon=True)
        self._set(reading, weight, 0.0, what)
        reader.start()
        try:
            yield writing
        finally:
            os.close(writing)
            reader.join()
            with self._lock:
                self._working.pop(reading, None)
                self._done += weight

    def say(self, line: str) -> None:
        """Print a line of its own, above the one that moves."""
        with self._lock:
            self._wipe()
            print(line, flush=True)

    def close(self) -> None:
        """Take the moving line away."""
        with self._lock:
            self._wipe()

    def sentence(self) -> str:
        """Say what is being done, how far it all is and how long the rest takes."""
        share = self._done + sum(weight * part for weight, part, _ in self._working.values())
        share = min(share / self._total, 0.99)
        elapsed = time.monotonic() - self._began
        words = [f"{what} {part:.0%}" for _, part, what in self._working.values()]
        left = f", {duration(elapsed * (1 / share - 1))} left" if share > _LEAST_SHARE else ""
        return f"{share:.0%}{left}: {', '.join(words)}"

    def _read(self, reading: int, weight: float) -> None:
        with os.fdopen(reading, closefd=True, encoding="utf-8") as lines:
            for line in lines:
                share, _, what = line.rstrip("\n").partition(" ")
                self._set(reading, weight, float(share), what)

    def _set(self, key: int, weight: float, share: float, what: str) -> None:
        with self._lock:
            self._working[key] = (weight, share, what)
            if self._moves:
                room = shutil.get_terminal_size().columns - 1
                sys.stderr.write(f"\r{self.sentence()[:room]}\x1b[K")
                sys.stderr.flush()
            elif self._words.is_due(time.monotonic() - self._began):
                print(f"  ... {self.sentence()}", flush=True)

    def _wipe(self) -> None:
        if self._moves:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
