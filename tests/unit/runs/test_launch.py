"""A stage started by another is its child run, and tells why it failed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from recdistill.errors import UserError
from recdistill.runs import launch, open_run

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHILD = """
from dataclasses import dataclass
from recdistill.errors import UserError
from recdistill.runs import stage

@dataclass
class Config:
    seed: int = 0

def run(config, run):
    if config.seed < 0:
        raise UserError("seed must not be negative.")
    run.log_metrics({"test/recall_at_10": config.seed / 10, "test/ndcg_at_10": 0.1})

if __name__ == "__main__":
    stage(run, Config, "child")
"""


@dataclass
class Settings:
    """The parent has none that matter."""

    seed: int = 0


@pytest.fixture(autouse=True)
def projects(store: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A projects folder with one stage, in the working folder."""
    make_projects(monkeypatch, child=CHILD)


def make_projects(monkeypatch: pytest.MonkeyPatch, **stages: str) -> None:
    """Write stages into the working folder, where a process that is started finds them first."""
    Path("projects").mkdir()
    for name, source in stages.items():
        Path(f"projects/{name}.py").write_text(source)
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    kept = [path for path in paths if path and not (Path(path) / "projects").is_dir()]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(kept))


@pytest.mark.slow
def test_child_is_nested_and_its_figures_come_back(store: MlflowClient) -> None:
    with open_run("main", Settings()) as parent:
        child = launch(parent, "child", {"seed": 3})
    assert child.metrics["test/recall_at_10"] == 0.3
    assert child.tags["mlflow.parentRunId"] == parent.id


@pytest.mark.slow
def test_a_failing_child_fails_the_parent_with_its_own_sentence(store: MlflowClient) -> None:
    def story() -> None:
        with open_run("main", Settings()) as parent:
            launch(parent, "child", {"seed": -1})

    with pytest.raises(UserError, match=r"Stage child failed .* seed must not be negative"):
        story()
    assert {run.info.status for run in store.search_runs(["0"])} == {"FAILED"}


def test_a_child_that_never_starts_is_not_left_running(store: MlflowClient) -> None:
    def story() -> None:
        with open_run("main", Settings()) as parent:
            launch(parent, "nowhere", {})

    with pytest.raises(UserError, match="Stage nowhere failed"):
        story()
    assert {run.info.status for run in store.search_runs(["0"])} == {"FAILED"}
