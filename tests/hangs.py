"""A case that does not end is a failure too."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class HangError(BaseException):
    """Work went on for too long; no ``Exception``, so that nothing on the way takes it for its."""


@contextmanager
def no_hang(cpu_seconds: float = 30.0) -> Iterator[None]:
    """Raise within the block once it has used so much processor time, whatever the machine does."""

    def late(_signal: int, _frame: object) -> None:
        raise HangError(f"no end after {cpu_seconds:g} seconds of processor time")

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
