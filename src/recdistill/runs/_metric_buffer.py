"""Metrics written in batches beside the training, and never lost to a short outage."""

from __future__ import annotations

import json
import threading
import time
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

    A call to a tracking server costs some 60 ms and a training step must not wait for it. While the
    store is away the metrics stay here; :meth:`close` waits for it up to ``patience`` seconds.
    """

    def __init__(self, client: MlflowClient, run_id: str, *, patience: float = 120.0) -> None:
        self._client, self.run_id, self._patience = client, run_id, patience
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

    def restore(self, rescue: Path) -> None:
        """Take back what an earlier ``close`` could not write; remove the file once stored."""
        if not rescue.is_file():
            return
        rows = json.loads(rescue.read_text())["metrics"]
        with self._lock:
            self._waiting.extend(Metric(*row) for row in rows)
        if self.flush():
            rescue.unlink()

    def close(self, rescue: Path) -> bool:
        """Write everything; what the store refuses for ``patience`` seconds goes to ``rescue``."""
        self._closing = True
        self._wake.set()
        self._thread.join()
        deadline = time.monotonic() + self._patience
        while not self.flush():
            if time.monotonic() > deadline:
                self._keep(rescue)
                return False
            time.sleep(_PAUSE_SECONDS)
        return True

    def give_up_waiting(self) -> None:
        """Wait no longer than a moment for a store that is known to be away."""
        self._patience = min(self._patience, _PAUSE_SECONDS)

    def _keep(self, rescue: Path) -> None:
        rows = [[m.key, m.value, m.timestamp, m.step] for m in self._waiting]
        whole = rescue.with_suffix(".partial")
        rescue.parent.mkdir(parents=True, exist_ok=True)
        whole.write_text(json.dumps({"run_id": self.run_id, "metrics": rows}))
        whole.replace(rescue)

    def _work(self) -> None:
        while not self._closing:
            self._wake.wait(_PAUSE_SECONDS)
            self.flush()


def rescue_file(state: Path, run_id: str) -> Path:
    """Where the metrics of a run wait that its tracking store did not take."""
    return state / f"unwritten-metrics-{run_id}.json"


def deliver_waiting(client: MlflowClient, state: Path) -> int:
    """Write the metrics that earlier runs had to leave on disk; return how many files went.

    What the store does not take (another store's run, say) stays where it is.
    """
    n_delivered = 0
    for path in sorted(state.glob("unwritten-metrics-*.json")):
        try:
            kept = json.loads(path.read_text())
            rows = [Metric(*row) for row in kept["metrics"]]
            for start in range(0, len(rows), _BATCH):
                client.log_batch(kept["run_id"], metrics=rows[start : start + _BATCH])
        except (OSError, ValueError, KeyError, TypeError, MlflowException):
            continue
        path.unlink()
        n_delivered += 1
    return n_delivered


def _rounded(value: float) -> float:
    """Seven significant digits: the UI shows every digit it is given."""
    return float(f"{float(value):.7g}")
