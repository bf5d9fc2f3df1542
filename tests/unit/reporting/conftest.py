"""A tracking store of the test's own."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

import mlflow
import pytest
from mlflow import MlflowClient

from .small_runs import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def opened(folder: Path, empty_database: Path) -> Iterator[Store]:
    """Give an empty store in a folder that is also the process's tracking store."""
    shutil.copy(empty_database, folder / "mlflow.db")
    before, uri = mlflow.get_tracking_uri(), f"sqlite:///{folder}/mlflow.db"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MLFLOW_TRACKING_URI", uri)
        patched.setenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "false")
        mlflow.set_tracking_uri(uri)
        client = MlflowClient(uri)
        experiment = client.create_experiment("reports", str(folder / "artifacts"))
        patched.setenv("MLFLOW_EXPERIMENT_ID", experiment)
        try:
            yield Store(client, folder, experiment)
        finally:
            mlflow.set_tracking_uri(before)


@pytest.fixture
def store(tmp_path: Path, empty_database: Path) -> Iterator[Store]:
    """Return an empty store that is also the process's tracking store."""
    with opened(tmp_path, empty_database) as made:
        yield made
