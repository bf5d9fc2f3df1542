"""How a worker's process ends: when it is asked to, or when its sweep is gone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import optuna
import sqlalchemy

if TYPE_CHECKING:
    from collections.abc import Iterator

STORAGE_TROUBLE = (optuna.exceptions.StorageInternalError, sqlalchemy.exc.SQLAlchemyError)


class Interrupted(BaseException):
    """The worker was asked to end; no ``Exception``, so that nothing on the way catches it."""


class _Stop:
    """Whether this process was asked to end, and whether it is writing at this moment."""

    asked = False
    n_writing = 0


@contextmanager
def ending_on_sigterm() -> Iterator[None]:
    """Turn SIGTERM into :class:`Interrupted` while this worker works."""

    def leave(_signal: int, _frame: object) -> None:
        _Stop.asked = True
        if not _Stop.n_writing:
            raise Interrupted

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _Stop.asked = False
    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def without_interruption() -> Iterator[None]:
    """Let SIGTERM wait while something is written down that must be whole."""
    _Stop.n_writing += 1
    try:
        yield
    finally:
        _Stop.n_writing -= 1


def end_if_asked() -> None:
    """Raise :class:`Interrupted` if SIGTERM came."""
    if _Stop.asked:
        raise Interrupted


def sweep_is_gone() -> bool:
    """Whether the sweep that started this process is gone.

    Not ``os.getppid``: workers are children of a fork server, which lives as long as they do. What
    is watched is a pipe that the sweep alone holds open, so that no other process can be mistaken
    for it.
    """
    sweep = multiprocessing.parent_process()
    return sweep is not None and not sweep.is_alive()


@contextmanager
def heartbeat(storage: Any, trial_id: int, seconds: float) -> Iterator[None]:
    """Show signs of life from a thread; and end with the sweep."""
    over = threading.Event()
    storage.record_heartbeat(trial_id)

    def beat() -> None:
        due = time.monotonic() + seconds
        while not over.wait(min(seconds, 2.0)):
            if sweep_is_gone():
                os.kill(os.getpid(), signal.SIGTERM)
                return
            if time.monotonic() >= due:
                due = time.monotonic() + seconds
                try:
                    storage.record_heartbeat(trial_id)
                except STORAGE_TROUBLE:
                    continue  # the next one may get through before anybody misses it

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
