"""A study on the hill of ``toy``, in a database of the test's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from recdistill.sweeps import (
    Mirror,
    create_study,
    open_storage,
    top_up,
)
from recdistill.sweeps._read_space import build_space
from recdistill.sweeps._worker import Worker
from tests.unit.sweeps import toy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlflow import MlflowClient
    from optuna import Study
    from optuna.storages import BaseStorage

    from recdistill.sweeps import StudySpec
    from recdistill.sweeps._space import Space


@dataclass
class Hill:
    """A study and its tools."""

    study: Study
    storage: BaseStorage
    spec: StudySpec
    space: Space
    mirror: Mirror
    folder: Path
    url: str
    train: Callable[..., Any] = field(default=toy.climb)

    def fill(self, n_trials: int) -> int:
        points = {n: self.space.parameters(p, {}) for n, p in self.space.points.items()}
        return top_up(self.study, n_trials, points)

    def worker(self, train: Callable[..., Any] | None = None, name: str = "here:1:a") -> Worker:
        return Worker(
            self.study.study_name, self.spec, self.space, self.storage, train or self.train,
            self.mirror, name, self.folder / "checkpoints",
        )  # fmt: skip


@pytest.fixture
def hill(store: MlflowClient, tmp_path: Path) -> Hill:
    """An empty study whose trials are children of an open run."""
    return make_hill(store, tmp_path)


def make_hill(store: MlflowClient, folder: Path, url: str = "", **changes: Any) -> Hill:
    spec = toy.spec(**changes)
    url = url or f"sqlite:///{folder}/studies.db"
    storage = open_storage(url, heartbeat_seconds=1)
    study = create_study(spec.name(), spec, storage)
    parent = store.create_run("0").info.run_id
    mirror = Mirror(store, "0", parent, study.study_name, spec)
    space = build_space(spec.space, toy.TYPES, "distill")
    return Hill(study, storage, spec, space, mirror, folder, url)
