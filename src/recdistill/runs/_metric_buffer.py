"""Metrics written in batches beside the training, and lost to no outage and no kill."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from mlflow.entities import Metric
from mlflow.exceptions import MlflowException

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mlflow import MlflowClient

_BATCH = 1000  # the tracking API refuses more metrics in one call
_PAUSE_SECONDS = 1.0


class MetricBuffer:
    """Collects metrics and hands them to the store from a thread of its own.

    A call to a tracking server costs some 60 ms and a training step must not wait for it. Metrics
    that the store has not taken yet stand in a file too: a process that is killed after it wrote a
    checkpoint loses none that the checkpoint's epochs logged. While the store is away the metrics
    stay here; :meth:`close` waits for it up to ``patience`` seconds.

    Parameters
    ----------
    client : MlflowClient
    run_id : str
    waiting : Path
        The file, see :func:`waiting_file`; there as long as something waits.
    patience : float
        Seconds.
    """

    def __init__(
        self, client: MlflowClient, run_id: str, waiting: Path, *, patience: float = 120.0
    ) -> None:
        self._client, self.run_id, self._patience = client, run_id, patience
        self._file = waiting
        self._waiting: list[Metric] = []
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._wake = threading.Event()
        self._closing = False
        self.last_error: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="metric-buffer", daemon=True)
        self._thread.start()

    def add(self, metrics: Mapping[str, float], step: int | None) -> None:
        """Take metrics with the time of this call; returns at once."""
        now = int(time.time() * 1000)
        rows = [Metric(key, _rounded(value), now, step or 0) for key, value in metrics.items()]
        with self._lock:
            self._waiting.extend(rows)
            # A full disk is told by close, to which the rows in memory are enough until then.
            with suppress(OSError):
                self._file.parent.mkdir(parents=True, exist_ok=True)
                with self._file.open("a", encoding="utf-8") as file:
                    file.write("".join(f"{_line(self.run_id, row)}\n" for row in rows))

    def flush(self) -> bool:
        """Write what is waiting; False when the store did not take it (it stays here)."""
        with self._writing:
            while True:
                with self._lock:
                    batch = self._waiting[:_BATCH]
                if not batch:
                    return True
                try:
                    self._client.log_batch(self.run_id, metrics=batch)
                except Exception as error:
                    self.last_error = error
                    return False
                with self._lock:
                    del self._waiting[: len(batch)]
                    if not self._waiting:
                        self._file.unlink(missing_ok=True)

    def restore(self) -> None:
        """Take up what an earlier process left waiting."""
        if self._file.is_file():
            with self._lock:
                self._waiting[:0] = _rows(self._file)[1]
            self.flush()

    def close(self) -> bool:
        """Write everything; False, and the file whole, if the store refuses for ``patience`` s.

        Raises
        ------
        OSError
            If the file cannot be written either.
        """
        self._closing = True
        self._wake.set()
        self._thread.join()
        deadline = time.monotonic() + self._patience
        while not self.flush():
            if time.monotonic() > deadline:
                self._keep()
                return False
            time.sleep(_PAUSE_SECONDS)
        return True

    def give_up_waiting(self) -> None:
        """Wait no longer than a moment for a store that is known to be away."""
        self._patience = min(self._patience, _PAUSE_SECONDS)

    def _keep(self) -> None:
        whole = self._file.with_suffix(".partial")
        whole.parent.mkdir(parents=True, exist_ok=True)
        whole.write_text("".join(f"{_line(self.run_id, row)}\n" for row in self._waiting))
        whole.replace(self._file)

    def _work(self) -> None:
        while not self._closing:
            self._wake.wait(_PAUSE_SECONDS)
            self.flush()


def waiting_file(state: Path, run_id: str) -> Path:
    """Where the metrics of a run stand that its tracking store has not taken yet."""
    return state / f"unwritten-metrics-{run_id}.jsonl"


def deliver_waiting(client: MlflowClient, state: Path) -> int:
    """Write the metrics that earlier runs had to leave on disk; return how many files went.

    The file of a run that may be at work stays, and so does what the store does not take (another
    store's run, say). What the store had before is there once: it knows a metric by its time.
    """
    n_delivered = 0
    for path in sorted(state.glob("unwritten-metrics-*.jsonl")):
        try:
            run_id, rows = _rows(path)
            for start in range(0, len(rows), _BATCH):
                client.log_batch(run_id, metrics=rows[start : start + _BATCH])
            if client.get_run(run_id).info.status != "RUNNING":
                path.unlink()
                n_delivered += 1
        except (OSError, MlflowException):
            continue
    return n_delivered


def _line(run_id: str, row: Metric) -> str:
    return json.dumps([run_id, row.key, row.value, row.timestamp, row.step])


def _rows(path: Path) -> tuple[str, list[Metric]]:
    """Read a file of waiting metrics and whose they are; a line that a kill cut off is left out."""
    run_id, rows = "", []
    for line in path.read_text(encoding="utf-8").splitlines():
        with suppress(ValueError, TypeError):
            run_id, *fields = json.loads(line)
            rows.append(Metric(*fields))
    return run_id, rows


def _rounded(value: float) -> float:
    """Seven significant digits: the UI shows every digit it is given."""
    return float(f"{float(value):.7g}")
