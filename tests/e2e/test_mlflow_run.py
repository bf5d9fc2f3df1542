"""The menu as people use it: `mlflow run` with the local environment, right and wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

ROOT = Path(__file__).parents[2]


def mlflow_run(store: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run an entry point of this checkout against a store of the test's own."""
    binaries = str(Path(sys.executable).parent)
    environment = os.environ | {
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "MLFLOW_TRACKING_URI": f"sqlite:///{store}/mlflow.db",
    }
    return subprocess.run(
        [f"{binaries}/mlflow", "run", str(ROOT), "--env-manager", "local", *words],
        env=environment, cwd=store, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def test_an_entry_point_runs_and_its_run_is_the_one_mlflow_opened(
    store: MlflowClient, tmp_path: Path
) -> None:
    small = ["-P", "model=counter", "-P", "max_users=60"]
    done = mlflow_run(tmp_path, "-e", "train_baseline", *small)
    assert done.returncode == 0, done.stderr
    runs = store.search_runs(["0"])
    assert len(runs) == 1
    assert runs[0].info.status == "FINISHED"
    assert runs[0].data.tags["mlflow.project.entryPoint"] == "train_baseline"
    assert runs[0].data.params["config.counter.decay"] == "0.8"
    assert runs[0].data.metrics["test/n_users"] == 60


def test_a_typo_ends_in_one_sentence_and_a_failed_run(store: MlflowClient, tmp_path: Path) -> None:
    done = mlflow_run(tmp_path, "-e", "train_baseline", "-P", "optimzer.lr=0.1")
    assert done.returncode != 0
    assert "did you mean 'optimizer.lr'?" in done.stderr
    assert "Traceback" not in done.stderr
    assert [run.info.status for run in store.search_runs(["0"])] == ["FAILED"]
