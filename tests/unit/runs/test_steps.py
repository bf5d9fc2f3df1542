"""Steps of a run: at the same time where they may, one line each, none left behind."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from recdistill.errors import UserError
from recdistill.runs import Steps, open_run
from tests.unit.runs.test_launch import CHILD, Settings, make_projects

if TYPE_CHECKING:
    from mlflow import MlflowClient

WEIGHTS = {"child": (1.0, 2), "long": (1.0, 1)}
LONG = "import time; time.sleep(60)"


@pytest.fixture(autouse=True)
def projects(store: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage that ends at once and one that does not, in the working folder."""
    make_projects(monkeypatch, child=CHILD, long=LONG)


@pytest.mark.slow
def test_steps_end_with_a_line_their_cost_and_their_output(
    store: MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        open_run("main", Settings()) as parent,
        Steps(parent, at_once=2, weights=WEIGHTS) as steps,
    ):
        started = [steps.start("child", "child", {"seed": seed}) for seed in (1, 2)]
        found = [one.result().metrics["test/recall_at_10"] for one in started]
        record = steps.record()
    assert found == [0.1, 0.2]
    lines = capsys.readouterr().out.splitlines()
    assert [re.match(r"\s*(\d)/3 child .* \d+ s$", line)[1] for line in lines] == ["1", "2"]  # type: ignore[index]
    assert all(0 < step["cpu_seconds"] < 60 for step in record["steps"])
    assert record["cpu_seconds"] > sum(step["cpu_seconds"] for step in record["steps"])
    child = store.get_run(started[0].result().id)
    assert child.data.metrics["time/cpu_seconds"] > 0
    assert [a.path for a in store.list_artifacts(child.info.run_id)].count("output.txt") == 1


@pytest.mark.slow
def test_a_step_that_fails_ends_the_others_and_says_why(store: MlflowClient) -> None:
    def story() -> None:
        with (
            open_run("main", Settings()) as parent,
            Steps(parent, at_once=2, weights=WEIGHTS) as steps,
        ):
            steps.start("long", "long", {})
            steps.start("child", "child", {"seed": -1}).result()

    began = time.monotonic()
    with pytest.raises(UserError, match=r"Stage child failed .* seed must not be negative"):
        story()
    assert time.monotonic() - began < 50
    assert {run.info.status for run in store.search_runs(["0"])} == {"FAILED"}
