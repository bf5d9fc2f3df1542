"""A sweep without a model: a hill whose top is known, climbed in a process of its own."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
from mlflow import MlflowClient

from recdistill.sweeps import (
    Mirror,
    StudySpec,
    load_study,
    open_storage,
)
from recdistill.sweeps._read_space import build_space
from recdistill.sweeps._worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SPACE: dict[str, Any] = {
    "knobs": {"x": {"range": [0.0, 1.0]}, "slope": {"range": [0.1, 10], "log": True, "zero": True}},
    "points": {"nothing": {"x": 0.0, "slope": 0.0}},
}
TYPES = {"x": float, "slope": float, "n_epochs": int}


def spec(**changes: Any) -> StudySpec:
    """A study about the hill."""
    known: dict[str, Any] = {
        "stage": "distill",
        "settings": {"seed": 0, "x": 0.5, "slope": 0.0},
        "space": SPACE,
        "objectives": ["val/ndcg_at_10"],
        "seed": 3,
        "catalog_digest": "c",
        "split_digest": "s",
        "dataset": "toy",
        "split": "leave_one_out",
        "baseline": "b",
        "references": {"baseline": {"val/ndcg_at_10": 0.5}},
        "pruner": "none",
        "heartbeat_seconds": 1,
    }
    return StudySpec(**{**known, **changes})


def climb(
    settings: Mapping[str, Any],
    *,
    log: Callable[[Mapping[str, float], int], None],
    checkpoint_folder: Path,
    n_epochs: int = 3,
    seconds: float = 0.0,
) -> dict[str, float]:
    """Train for some epochs, writing a checkpoint after each as a real fit does."""
    checkpoint_folder.mkdir(parents=True, exist_ok=True)
    last = checkpoint_folder / "last"
    first = int(last.read_text()) if last.exists() else 0
    height = 1 - (settings["x"] - 0.7) ** 2
    metrics: dict[str, float] = {}
    for epoch in range(first + 1, n_epochs + 1):
        time.sleep(seconds)
        metrics = {"epoch": float(epoch), "val/ndcg_at_10": height * epoch / n_epochs}
        log(metrics, epoch)
        last.write_text(str(epoch))
        if (checkpoint_folder.parent / "kill-me").exists() and epoch == 1:
            (checkpoint_folder.parent / "kill-me").unlink()
            os.kill(os.getpid(), signal.SIGKILL)
    return metrics or {"epoch": float(n_epochs), "val/ndcg_at_10": height}


def make_worker(
    study_name: str, url: str, tracking: str, parent: str, folder: str, seconds: float, name: str
) -> Worker:
    """Be what a sweep's worker is, on the hill."""
    mlflow.set_tracking_uri(tracking)
    storage = open_storage(url, heartbeat_seconds=1)
    _, about = load_study(study_name, storage)

    def train(settings: Mapping[str, Any], **rest: Any) -> Mapping[str, float]:
        return climb(settings, seconds=seconds, **rest)

    mirror = Mirror(MlflowClient(tracking), "0", parent, study_name, about)
    space = build_space(about.space, TYPES, "distill")
    return Worker(study_name, about, space, storage, train, mirror, name, Path(folder))
