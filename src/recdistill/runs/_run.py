"""The one handle a stage writes through."""

from __future__ import annotations

import json
import math
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from filelock import FileLock, Timeout
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import DatasetInput, InputTag, Param, RunTag
from mlflow.exceptions import MlflowException

from recdistill.errors import UserError
from recdistill.runs._content_key import content_key
from recdistill.runs._metric_buffer import MetricBuffer, rescue_file
from recdistill.runs._names import run_name
from recdistill.runs._phases import measured
from recdistill.runs._recipe_key import RECIPE, input_recipes, recipe_key
from recdistill.runs._references import FinishedRuns, RunReference, find_run, search
from recdistill.runs._scratch import scratch_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlflow import MlflowClient

    from recdistill.data import PreparedData

STATE = Path(".recdistill")
"""Checkpoints, locks and scratch of runs in progress; safe to remove when none is."""

_WENT_ON_WITH = "cache.went_on_with"


class Run:
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
        self.client, self.id, self.stage = client, run_id, stage
        self.folder = scratch_folder(STATE, stage)
        self._settings, self._code = settings, code
        self._buffer = MetricBuffer(client, run_id)
        self._wrapper: str | None = None
        self._lock: FileLock | None = None
        self._checkpoints: Path | None = None
        self.reused: RunReference | None = None
        self._n_told = 0

    # ---------------------------------------------------------------- writing

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Take metrics; they are written in the background, in batches."""
        self._buffer.add(metrics, step)

    def log_progress(self, share: float, seconds_left: float) -> None:
        """Take how far the step at hand is; against the time these figures are a curve."""
        self._n_told += 1
        figures = {"progress/share": share}
        if math.isfinite(seconds_left):
            figures["progress/seconds_left"] = seconds_left
        self.log_metrics(figures, self._n_told)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Write parameters; MLflow keeps the first value given to a name for ever."""
        rows = [Param(key, str(value)[:6000]) for key, value in params.items()]
        for start in range(0, len(rows), 100):
            self.client.log_batch(self.id, params=rows[start : start + 100])

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Write tags, replacing those of the same name."""
        self.client.log_batch(self.id, tags=[RunTag(k, str(v)[:8000]) for k, v in tags.items()])

    def name(self) -> str:
        """Return the run's readable name."""
        return self.client.get_run(self.id).info.run_name or self.id

    def rename(self, lead: str, end: str = "") -> None:
        """Give the run its readable name (:func:`run_name`), unless a person already gave one."""
        if _is_random(self.name()):
            self.client.set_tag(self.id, "mlflow.runName", run_name(lead, end))

    def note(self, markdown: str) -> None:
        """Set the card shown on top of the run's page; MLflow takes 8,000 characters of it."""
        self.client.set_tag(self.id, "mlflow.note.content", markdown[:8000])

    def log_artifact(self, path: Path, folder: str | None = None) -> None:
        """Keep a file, or a folder with everything in it, under ``folder`` of the run."""
        if path.is_dir():
            self.client.log_artifacts(self.id, str(path), folder)
        else:
            self.client.log_artifact(self.id, str(path), folder)

    def log_text(self, text: str, name: str) -> None:
        """Keep a text as the artifact ``name``."""
        # Not the client's own log_text, whose copy in the system's temporary folder outlives a
        # process that is killed.
        path = self.folder / "texts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        inside = Path(name).parent.as_posix()
        self.client.log_artifact(self.id, str(path), None if inside == "." else inside)

    def log_dict(self, content: Any, name: str) -> None:
        """Keep plain values as JSON or YAML, by the ending of ``name``."""
        if name.endswith((".yaml", ".yml")):
            text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        else:
            text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        self.log_text(text, name)

    def log_data(self, data: PreparedData) -> None:
        """Link the data set, with our own digest over every row, and tag the run with it."""
        manifest = data.manifest
        self.set_tags(
            {
                "dataset": data.dataset,
                "split": manifest.get("split", "leave_one_out"),
                "catalog.digest": data.catalog.digest,
                "split.digest": data.split_digest,
                "data.folder": data.folder.name,
            }
            | ({"catalog.parent": data.catalog.parent} if data.catalog.parent else {})
        )
        inputs = []
        source = CodeDatasetSource(
            {"recdistill.manifest": json.dumps(manifest, default=str)[:4000]}
        )
        for part, context in (("train", "training"), ("val", "validation"), ("test", "test")):
            dataset = MetaDataset(source, name=f"{data.dataset}-{part}", digest=data.split_digest)
            inputs.append(
                DatasetInput(
                    dataset._to_mlflow_entity(), [InputTag("mlflow.data.context", context)]
                )
            )
        self.client.log_inputs(self.id, datasets=inputs)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time the block and log its seconds and memory peaks (``time/...``, ``memory/...``)."""
        figures: dict[str, float] = {}
        try:
            with measured(name, figures):
                yield
        finally:
            self.log_metrics(figures)

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
        if done := self._original([*same, "attributes.status = 'FINISHED'"]):
            self._stand_for(done)
            print(
                f"{self.stage}: nothing to compute, run {done} has done exactly this.", flush=True
            )
            return True
        if self._checkpoints.is_dir() and any(self._checkpoints.iterdir()):
            begun = self._original([*same, "attributes.status != 'FINISHED'"])
            if begun:
                self.take_up(begun)
        return False

    def _original(self, conditions: list[str]) -> str | None:
        """Find the newest run under these conditions that computed something itself.

        Mostly the first one found says which that is: one that stood for another, or went on with
        it, names it.
        """
        gone = set()
        for run in search(self.client, conditions, first=2):
            tags, found = run.data.tags, str(run.info.run_id)
            origin = tags.get("cache.hit_of") or tags.get(_WENT_ON_WITH)
            if found == self.id or origin in gone:
                continue
            if origin is None:
                return found
            try:
                info = self.client.get_run(origin).info
            except MlflowException:
                info = None
            if (
                info
                and info.lifecycle_stage == "active"
                and (info.status == "FINISHED") is (run.info.status == "FINISHED")
            ):
                return str(origin)
            gone.add(origin)
        return None

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
        self.set_tags(copied | {"cache.hit_of": origin})
        self.rename(self.reused.name)
        self.note(f"Nothing was computed: run {origin} has done exactly this. Its files are there.")

    def take_up(self, interrupted: str) -> None:
        """Go on with an earlier run: from here on :attr:`id` is its id.

        The run that was opened for this ends as a light one that points there.
        """
        self._buffer.close(self.folder / "metrics.json")
        self._wrapper, self.id = self.id, interrupted
        self._buffer = MetricBuffer(self.client, interrupted)
        self._buffer.restore(rescue_file(STATE, interrupted))
        self.client.update_run(interrupted, status="RUNNING")
        if "closed.reason" in self.client.get_run(interrupted).data.tags:
            self.client.delete_tag(interrupted, "closed.reason")
        self.client.set_tag(self._wrapper, _WENT_ON_WITH, interrupted)
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
        rescue = rescue_file(STATE, self.id)
        try:
            if not self._closed_buffer(rescue):
                raise UserError(
                    f"The tracking store did not answer ({self._buffer.last_error}); the metrics "
                    f"of run {self.id} are in {rescue}. Start the same command again when the "
                    "store is back: it goes on where this run stopped."
                )
            if self._wrapper:
                origin, self.id, self._wrapper = self.id, self._wrapper, None
                self._terminate(origin, status)
                if status == "FINISHED":
                    self._buffer = MetricBuffer(self.client, self.id)
                    self._stand_for(origin)
                    self.note(f"This run went on with run {origin}; everything is there.")
                    self._buffer.close(rescue)
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

    def _closed_buffer(self, rescue: Path) -> bool:
        try:
            return self._buffer.close(rescue)
        except OSError as error:
            raise UserError(
                f"Neither the tracking store ({self._buffer.last_error}) nor {rescue} took the "
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


def _is_random(name: str) -> bool:
    """Whether MLflow made the name up: adjective-noun-number."""
    words = name.split("-")
    if len(words) == 1:
        return len(name) == 32  # no name at all: the id stands for it
    return len(words) == 3 and words[2].isdigit() and words[0].isalpha() and words[1].isalpha()
