"""A run done again from its own commit is equal to the last digit, and what is not is named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

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


def test_a_run_is_verified_and_a_difference_is_named(store: MlflowClient, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(checkout)], check=True)
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
