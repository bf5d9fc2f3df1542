"""The handle of a stage on its run: written to, found done before, gone on with, closed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout
from mlflow.exceptions import MlflowException

from recdistill.errors import UserError
from recdistill.runs._content_key import content_key
from recdistill.runs._dead_runs import reopen
from recdistill.runs._metric_buffer import MetricBuffer, waiting_file
from recdistill.runs._originals import WENT_ON_WITH, find_original
from recdistill.runs._recipe_key import RECIPE, input_recipes, recipe_key
from recdistill.runs._references import STANDS_FOR, FinishedRuns, RunReference, find_run
from recdistill.runs._run_writer import RunWriter
from recdistill.runs._scratch import scratch_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlflow import MlflowClient

    from recdistill.data import PreparedData

STATE = Path(".recdistill")
"""Checkpoints, locks and scratch of runs in progress; safe to remove when none is."""


class Run(RunWriter):
    """A run in MLflow and its scratch folder.

    Made by :func:`recdistill.runs.open_run`, which also closes it; a stage only writes.

    Attributes
    ----------
    id : the run written to. After :meth:`already_done` this may be an interrupted run that goes on.
    folder : a scratch folder, removed when the run closes.
    """

    def __init__(
        self, client: MlflowClient, run_id: str, stage: str, settings: dict[str, Any], code: str
    ) -> None:
        folder = scratch_folder(STATE, stage)
        super().__init__(client, run_id, folder, waiting_file(STATE, run_id))
        self.stage, self._settings, self._code = stage, settings, code
        self._wrapper: str | None = None
        self._lock: FileLock | None = None
        self._checkpoints: Path | None = None
        self.reused: RunReference | None = None

    # ---------------------------------------------------------------- other runs

    def find(self, reference: str, *stages: str, data: PreparedData | None = None) -> RunReference:
        """Resolve another run by id, name or ``latest``; with ``data``, on the same data only."""
        return FinishedRuns(self.client).find(reference, *stages, data=data)

    # ---------------------------------------------------------------- done before?

    def already_done(self, inputs: Mapping[str, str], *, use_cache: bool = True) -> bool:
        """Say whether a finished run computed exactly this; if so this run stands for it.

        The key covers the entry point, the settings, the code, the libraries and ``inputs``
        (digests of the data, ids of the runs read). An interrupted run with the same key is taken
        up again: from here on :attr:`id` is its id and :attr:`checkpoint_folder` holds its state.
        """
        key = content_key(self.stage, self._settings, dict(inputs), self._code)
        recipe = recipe_key(self.stage, self._settings, input_recipes(self.client, inputs))
        self.set_tags({"cache.key": key, RECIPE: recipe})
        self._checkpoints = STATE / "checkpoints" / key
        self._hold(key)
        if not use_cache:
            shutil.rmtree(self._checkpoints, ignore_errors=True)
            return False
        same = [f"tags.`cache.key` = '{key}'", f"tags.stage = '{self.stage}'"]
        finished, unfinished = (f"attributes.status {sign} 'FINISHED'" for sign in ("=", "!="))
        if done := find_original(self.client, [*same, finished], asking=self.id):
            self._stand_for(done)
            print(
                f"{self.stage}: nothing to compute, run {done} has done exactly this.", flush=True
            )
            return True
        has_state = self._checkpoints.is_dir() and any(self._checkpoints.iterdir())
        if has_state and (begun := find_original(self.client, [*same, unfinished], asking=self.id)):
            self.take_up(begun)
        return False

    @property
    def checkpoint_folder(self) -> Path:
        """Where this computation keeps the state it can be resumed from."""
        folder = self._checkpoints or self.folder / "checkpoints"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _hold(self, key: str) -> None:
        (STATE / "locks").mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(STATE / "locks" / f"{key}.lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            print(
                f"{self.stage}: another process computes exactly this; waiting for it.", flush=True
            )
            self._lock.acquire()

    def _stand_for(self, origin: str) -> None:
        self.reused = find_run(self.client, origin, stages=(self.stage,))
        self.log_metrics(self.reused.metrics)
        skip = ("mlflow.", "process.", "cache.", "closed.", "resumed")
        copied = {k: v for k, v in self.reused.tags.items() if not k.startswith(skip)}
        self.set_tags(copied | {STANDS_FOR: origin})
        self.rename(self.reused.name)
        self.note(f"Nothing was computed: run {origin} has done exactly this. Its files are there.")

    def take_up(self, interrupted: str) -> None:
        """Go on with an earlier run: from here on :attr:`id` is its id.

        The run that was opened for this ends as a light one that points there.
        """
        self._buffer.close()
        self._wrapper, self.id = self.id, interrupted
        self._buffer = MetricBuffer(self.client, interrupted, waiting_file(STATE, interrupted))
        self._buffer.restore()
        reopen(self.client, interrupted)
        self.client.set_tag(self._wrapper, WENT_ON_WITH, interrupted)
        wrapper = self.client.get_run(self._wrapper).data.tags
        self.set_tags(
            {k: v for k, v in wrapper.items() if k.startswith("process.")}
            | {"resumed_by": self._wrapper}
        )
        print(f"{self.stage}: going on with interrupted run {interrupted}.", flush=True)

    # ---------------------------------------------------------------- closing

    def close(self, status: str) -> None:
        """Write what waits, set the final status, free the lock. Called by ``open_run``.

        Raises
        ------
        UserError
            When the tracking store stayed away: names the file that holds the metrics.
        """
        waiting = waiting_file(STATE, self.id)
        try:
            if not self._closed_buffer(waiting):
                raise UserError(
                    f"The tracking store did not answer ({self._buffer.last_error}); the metrics "
                    f"of run {self.id} are in {waiting}. Start the same command again when the "
                    "store is back: it goes on where this run stopped."
                )
            if self._wrapper:
                origin, self.id, self._wrapper = self.id, self._wrapper, None
                self._terminate(origin, status)
                if status == "FINISHED":
                    self._buffer = MetricBuffer(self.client, self.id, waiting_file(STATE, self.id))
                    self._stand_for(origin)
                    self.note(f"This run went on with run {origin}; everything is there.")
                    self._buffer.close()
            self._terminate(self.id, status)
            if status == "FINISHED" and self._checkpoints:
                shutil.rmtree(self._checkpoints, ignore_errors=True)
        finally:
            if self._lock:
                self._lock.release()
            shutil.rmtree(self.folder, ignore_errors=True)

    def give_up_waiting(self) -> None:
        """Close without patience: the store or the disk is known to be away."""
        self._buffer.give_up_waiting()

    def _closed_buffer(self, waiting: Path) -> bool:
        try:
            return self._buffer.close()
        except OSError as error:
            raise UserError(
                f"Neither the tracking store ({self._buffer.last_error}) nor {waiting} took the "
                f"last metrics of run {self.id} ({error.strerror}): they are lost. Start the same "
                "command again when that is mended: what was trained is kept."
            ) from None

    def _terminate(self, run_id: str, status: str) -> None:
        try:
            self.client.set_terminated(run_id, status=status)
        except MlflowException as error:
            reason = str(error).splitlines()[0][:200]
            left = (
                "its metrics and files are written, and the next stage closes it"
                if status == "FINISHED"
                else "start the same command again when it is back, and it goes on from there"
            )
            raise UserError(
                f"The tracking store went away before run {run_id} could be closed as {status} "
                f"({reason}); {left}."
            ) from None
