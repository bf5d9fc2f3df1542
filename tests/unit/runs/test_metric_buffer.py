"""Metrics outlive a short outage of the store and are kept when it is a long one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from recdistill.runs._metric_buffer import MetricBuffer

if TYPE_CHECKING:
    from pathlib import Path

    from mlflow import MlflowClient
    from mlflow.entities import Metric


class FlakyClient:
    """Stands before a real client and refuses the first calls."""

    def __init__(self, client: MlflowClient, refusals: int) -> None:
        self._client, self.refusals = client, refusals

    def log_batch(self, run_id: str, metrics: list[Metric]) -> None:
        if self.refusals > 0:
            self.refusals -= 1
            raise ConnectionError("server away")
        self._client.log_batch(run_id, metrics=metrics)


def test_every_metric_arrives_in_order_after_an_outage(store: MlflowClient, tmp_path: Path) -> None:
    run_id = store.create_run("0").info.run_id
    buffer = MetricBuffer(FlakyClient(store, refusals=3), run_id)  # type: ignore[arg-type]
    for step in range(2500):
        buffer.add({"train/loss": 1 / (step + 1)}, step)
    assert buffer.close(tmp_path / "rescue.json")
    history = store.get_metric_history(run_id, "train/loss")
    assert sorted(m.step for m in history) == list(range(2500))


def test_what_never_arrives_is_kept_in_a_file(store: MlflowClient, tmp_path: Path) -> None:
    run_id = store.create_run("0").info.run_id
    client = FlakyClient(store, refusals=10**6)
    buffer = MetricBuffer(client, run_id, patience=0.0)  # type: ignore[arg-type]
    buffer.add({"train/loss": 0.5}, 7)
    rescue = tmp_path / "rescue.json"
    assert not buffer.close(rescue)
    kept = json.loads(rescue.read_text())
    assert kept["run_id"] == run_id
    assert [row[0] for row in kept["metrics"]] == ["train/loss"]
    assert kept["metrics"][0][3] == 7


def test_kept_metrics_are_written_when_the_run_is_taken_up(
    store: MlflowClient, tmp_path: Path
) -> None:
    run_id = store.create_run("0").info.run_id
    away = MetricBuffer(FlakyClient(store, refusals=10**6), run_id, patience=0.0)  # type: ignore[arg-type]
    away.add({"train/loss": 0.5}, 7)
    rescue = tmp_path / "rescue.json"
    away.close(rescue)
    back = MetricBuffer(store, run_id)
    back.restore(rescue)
    back.close(tmp_path / "other.json")
    assert [(m.value, m.step) for m in store.get_metric_history(run_id, "train/loss")] == [(0.5, 7)]
    assert not rescue.exists()
