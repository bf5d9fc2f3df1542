"""What every tier shares: a tracking store of the test's own, made once and copied."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    import mlflow

# Before anything imports torch: threads that wait sleep, and workers that share the machine (xdist)
# have one thread each. Two workers of two spinning threads each on two cores wait for each other.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ["MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING"] = "false"
for _name in (
    "MLFLOW_RUN_ID",
    "MLFLOW_EXPERIMENT_NAME",
    "MLFLOW_EXPERIMENT_ID",
    "MLFLOW_TRACKING_URI",
):
    os.environ.pop(_name, None)

ROOT = Path(__file__).parents[1]

# Files that take longest, each tier's longest first.
LONGEST = (
    "recipes/test_audit_language",
    "recipes/test_notebooks",
    "recipes/test_main",
    "recipes/test_sweep",
    "recipes/test_make_transfer_set",
    "recipes/test_serving",
    "e2e/test_sweeps",
    "e2e/test_day_two",
    "e2e/test_nights",
    "e2e/test_keeping",
    "e2e/test_files_in_a_store",
    "e2e/test_verify",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, so that no worker is left alone with it at the end."""

    def place(item: pytest.Item) -> tuple[int, bool]:
        file = f"{item.path.parent.name}/{item.path.stem}"
        is_slow = "unit" in item.path.parts and item.get_closest_marker("slow") is not None
        return [*LONGEST, file].index(file), not is_slow

    items.sort(key=place)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Path:
    """A migrated, empty sqlite store; migrating one takes seconds, copying it none."""
    import mlflow

    folder = tmp_path_factory.mktemp("store")
    database = folder / "mlflow.db"
    # One that another worker or an earlier tier has migrated, by the same MLflow.
    kept = pytestconfig.cache.mkdir("store") / f"mlflow-{mlflow.__version__}.db"
    if kept.exists():
        shutil.copy(kept, database)
    else:
        mlflow.MlflowClient(f"sqlite:///{database}").search_experiments()
        shutil.copy(database, half := kept.with_suffix(f".{os.getpid()}"))
        Path(half).replace(kept)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "UPDATE experiments SET artifact_location = ?", (str(folder / "mlruns" / "0"),)
        )
    return database


@pytest.fixture
def store(
    empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[mlflow.MlflowClient]:
    """An empty tracking store in an empty working folder; the client to read it with."""
    import mlflow

    shutil.copy(empty_database, tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    # `mlflow.set_experiment` leaves its choice in the environment, for every later child process.
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    yield mlflow.MlflowClient()
    mlflow.set_tracking_uri(before)
