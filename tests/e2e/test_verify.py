"""A run done again from its own commit is equal to the last digit, and what is not is named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.unit.updating.conftest import write_shop

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

ROOT = Path(__file__).parents[2]


def start(checkout: Path, name: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a stage of a checkout, in it, against the store beside it."""
    environment = os.environ | {
        "PYTHONPATH": f"{checkout / 'src'}{os.pathsep}{checkout}",
        "MLFLOW_TRACKING_URI": f"sqlite:///{checkout.parent}/mlflow.db",
    }
    return subprocess.run(
        [sys.executable, "-m", f"projects.{name}", *words],
        env=environment, cwd=checkout, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clone of this repository."""
    folder = tmp_path / "checkout"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    return folder


def test_a_run_is_verified_and_a_difference_is_named(store: MlflowClient, checkout: Path) -> None:
    made = start(checkout, "train_baseline", "--model=counter", "--max_users=60")
    assert made.returncode == 0, made.stderr
    run = store.search_runs(["0"], "tags.stage = 'train_baseline'")[0]

    same = start(checkout, "verify", f"--tracked_run={run.info.run_id}")
    assert same.returncode == 0, same.stderr
    assert "0 of " in same.stdout
    assert "the data is the same" in same.stdout
    assert "is this checkout's too; it was done again in this environment." in same.stdout
    assert len(store.search_runs(["0"], "tags.stage = 'train_baseline'")) == 1
    trees = ["git", "-C", str(checkout), "worktree", "list"]
    assert len(subprocess.run(trees, capture_output=True, text=True).stdout.splitlines()) == 1

    store.log_metric(run.info.run_id, "test/ndcg_at_10", 0.5)
    other = start(checkout, "verify", f"--tracked_run={run.info.run_id}")
    assert other.returncode == 1
    assert "| test/ndcg_at_10 | 0.5 | " in other.stdout

    store.set_tag(run.info.run_id, "git.dirty", "true")
    refused = start(checkout, "verify", f"--tracked_run={run.info.run_id}")
    assert refused.returncode == 2
    assert "cannot be repeated: missing is a clean tree" in refused.stderr


def test_a_night_is_verified_on_the_data_of_then(store: MlflowClient, checkout: Path) -> None:
    log = write_shop(checkout.parent / "steps.csv").name

    def night(until: str, *words: str) -> None:
        asked = ["--dataset=steps", "--split=rolling", f"--data_path=../{log}"]
        made = start(checkout, "prepare_data", *asked, f"--until={until}", *words)
        assert made.returncode == 0, made.stderr

    def runs(name: str) -> list[Run]:
        return list(store.search_runs(["0"], f"tags.stage = '{name}'"))

    night("1970-01-22")
    folder = runs("prepare_data")[0].data.tags["data.folder"]
    before = ["--model=counter", "--dataset=steps", f"--prepared={folder}"]
    assert start(checkout, "train_baseline", *before).returncode == 0
    night("1970-01-25", "--extends=latest")
    assert start(checkout, "update").returncode == 0
    night("1970-01-29", "--extends=latest")  # what is latest now was not then

    for run in (*runs("update"), *runs("train_baseline"), runs("prepare_data")[1]):
        same = start(checkout, "verify", f"--tracked_run={run.info.run_id}")
        assert same.returncode == 0, same.stdout + same.stderr
        assert "the data is the same" in same.stdout
