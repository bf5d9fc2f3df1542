"""The worker processes of one machine: started, replaced when they die, ended together."""

from __future__ import annotations

import logging
import multiprocessing
import multiprocessing.connection
import os
import secrets
import socket
import sys
import time
from typing import TYPE_CHECKING, Any

from recdistill.errors import UserError
from recdistill.sweeps._queue import give_up_worker, n_finished, repeat_lost, running, tally
from recdistill.sweeps._signals import Interrupted
from recdistill.sweeps._study import halted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.context import ForkServerProcess

    from optuna import Study
    from optuna.storages import BaseStorage

    from recdistill.sweeps._worker import Worker

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0
_PATIENCE_SECONDS = 30.0
_HOPELESS_AFTER = 3
_INTERRUPTED = 75


class WorkerPool:
    """A fixed number of workers on this machine.

    They are forked from a server process that has imported everything once, so that replacing one
    costs a moment instead of the seconds that torch and MLflow take to load.

    Parameters
    ----------
    make_worker : callable
        A module's function; called with ``arguments`` inside the new process, it loads the data
        and returns the :class:`Worker`.
    arguments : tuple
    n_workers : int
    """

    def __init__(
        self, make_worker: Callable[..., Worker], arguments: tuple[Any, ...], n_workers: int
    ) -> None:
        self._make_worker, self._arguments, self._n_workers = make_worker, arguments, n_workers
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([make_worker.__module__])
        self._token = secrets.token_hex(3)
        self._processes: list[ForkServerProcess] = []
        self._n_deaths = 0

    def run(self, study: Study, storage: BaseStorage, report: Callable[[], None]) -> None:
        """Work until the study has nothing left to do; ``report`` is called about once a second.

        Raises
        ------
        UserError
            When the workers cannot start, or every trial fails: says why.
        """
        try:
            self._processes = [self._start() for _ in range(self._n_workers)]
            self._watch(study, storage, report)
        finally:
            self._end(study, storage)

    def _watch(self, study: Study, storage: BaseStorage, report: Callable[[], None]) -> None:
        finished = n_finished(tally(study))
        while self._processes:
            sentinels = [process.sentinel for process in self._processes]
            multiprocessing.connection.wait(sentinels, timeout=_LOOK_SECONDS)
            report()
            for process in [p for p in self._processes if p.exitcode is not None]:
                self._processes.remove(process)
                if process.exitcode == 0:
                    continue
                give_up_worker(study, storage, self._name(process.pid))
                if reason := halted(study):
                    continue
                self._n_deaths += 1
                before, finished = finished, n_finished(tally(study))
                if finished > before:
                    self._n_deaths = 0
                if self._n_deaths > _HOPELESS_AFTER * self._n_workers:
                    raise UserError(
                        "The sweep's workers die again and again before they finish a trial (the "
                        f"last one with status {process.exitcode}; -9 is the kernel's, for lack of "
                        "memory): see their output above, or take fewer workers."
                    )
                _LOG.warning("worker %s died; another one takes its place", process.pid)
                self._processes.append(self._start())
            if not self._processes and not halted(study):
                self._look_again(study)
        if reason := halted(study):
            raise UserError(f"The sweep stopped: {reason}")

    def _look_again(self, study: Study) -> None:
        """Find what the last worker may have left behind, and have it done."""
        if not running(study):
            repeat_lost(study)
        if tally(study)["waiting"] or running(study):
            self._processes.append(self._start())

    def _start(self) -> ForkServerProcess:
        process = self._context.Process(
            target=_live, args=(self._make_worker, self._arguments, self._token)
        )
        process.start()
        return process

    def _name(self, pid: int | None) -> str:
        return worker_name(pid or 0, self._token)

    def _end(self, study: Study, storage: BaseStorage) -> None:
        """End what still lives: politely, so that trials are handed back; then by force."""
        for process in self._processes:
            process.terminate()
        deadline = time.monotonic() + _PATIENCE_SECONDS
        for process in self._processes:
            process.join(max(0.1, deadline - time.monotonic()))
            if process.exitcode is None:
                process.kill()
                process.join()
            give_up_worker(study, storage, self._name(process.pid))


def worker_name(pid: int, pool: str) -> str:
    """Name a worker so that no other machine's can have the same name."""
    return f"{socket.gethostname()}:{pid}:{pool}"


def _live(make_worker: Callable[..., Worker], arguments: Sequence[Any], pool: str) -> None:
    """Be a worker process; a terminal's Ctrl-C reaches the sweep alone, which passes it on."""
    os.setsid()
    try:
        make_worker(*arguments, worker_name(os.getpid(), pool)).work()
    except Interrupted:
        sys.exit(_INTERRUPTED)
