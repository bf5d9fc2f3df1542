"""Metrics outlive a short outage of the store and are kept when it is a long one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from recdistill.runs._metric_buffer import MetricBuffer, deliver_waiting, waiting_file

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


def waiting_metrics(state: Path, run_id: str) -> list[list[object]]:
    text = waiting_file(state, run_id).read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_every_metric_arrives_in_order_after_an_outage(store: MlflowClient, tmp_path: Path) -> None:
    run_id = store.create_run("0").info.run_id
    client, waiting = FlakyClient(store, refusals=3), waiting_file(tmp_path, run_id)
    buffer = MetricBuffer(client, run_id, waiting)  # type: ignore[arg-type]
    for step in range(2500):
        buffer.add({"train/loss": 1 / (step + 1)}, step)
    assert buffer.close()
    history = store.get_metric_history(run_id, "train/loss")
    assert sorted(m.step for m in history) == list(range(2500))
    assert not waiting.exists()


def lost_server(store: MlflowClient, run_id: str, state: Path) -> MetricBuffer:
    """Make a buffer whose store is away for good."""
    client = FlakyClient(store, refusals=10**6)
    return MetricBuffer(client, run_id, waiting_file(state, run_id), patience=0.0)  # type: ignore[arg-type]


def test_what_never_arrives_is_kept_in_a_file(store: MlflowClient, tmp_path: Path) -> None:
    run_id = store.create_run("0").info.run_id
    buffer = lost_server(store, run_id, tmp_path)
    buffer.add({"train/loss": 0.5}, 7)
    assert not buffer.close()
    ((whose, key, value, _, step),) = waiting_metrics(tmp_path, run_id)
    assert (whose, key, value, step) == (run_id, "train/loss", 0.5, 7)


def test_what_a_killed_process_had_logged_stands_in_its_file(
    store: MlflowClient, tmp_path: Path
) -> None:
    """The thread has had no time to write, and ``close`` is never reached."""
    run_id = store.create_run("0").info.run_id
    buffer = lost_server(store, run_id, tmp_path)
    buffer.add({"train/loss": 0.5, "train/lr": 0.0}, 7)
    with waiting_file(tmp_path, run_id).open("a") as file:
        file.write('["cut off')
    assert deliver_waiting(store, tmp_path) == 0  # the run may be at work
    assert waiting_file(tmp_path, run_id).exists()
    store.set_terminated(run_id, status="KILLED")
    assert deliver_waiting(store, tmp_path) == 1
    assert store.get_run(run_id).data.metrics == {"train/loss": 0.5, "train/lr": 0.0}
    assert not waiting_file(tmp_path, run_id).exists()
    buffer.close()


def test_metrics_delivered_twice_are_there_once(store: MlflowClient, tmp_path: Path) -> None:
    """A process may be killed between the store's answer and the removal of the file."""
    run_id = store.create_run("0").info.run_id
    buffer = lost_server(store, run_id, tmp_path)
    buffer.add({"train/loss": 0.5}, 7)
    buffer.close()
    kept = waiting_file(tmp_path, run_id).read_text()
    for _ in range(2):
        waiting_file(tmp_path, run_id).write_text(kept)
        back = MetricBuffer(store, run_id, waiting_file(tmp_path, run_id))
        back.restore()
        assert back.close()
        assert not waiting_file(tmp_path, run_id).exists()
    assert [(m.value, m.step) for m in store.get_metric_history(run_id, "train/loss")] == [(0.5, 7)]
