"""The terminal's table of runs says what a run is, how good, and what it was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recdistill.errors import UserError
from recdistill.runs import list_runs, page_of_run

if TYPE_CHECKING:
    from mlflow import MlflowClient


def made(store: MlflowClient, name: str, status: str = "FINISHED", **tags: str) -> str:
    run = store.create_run("0", run_name=name, tags={"stage": "distill", **tags})
    store.set_terminated(run.info.run_id, status)
    return str(run.info.run_id)


def test_a_row_has_figures_and_names_what_it_was_made_from(store: MlflowClient) -> None:
    baseline = made(store, "sasrec-s0", stage="train_baseline")
    store.log_metric(baseline, "test/recall_at_10", 0.2)
    student = made(
        store, "student", "KILLED", baseline_run_id=baseline, teacher_run_id=f"{baseline},gone"
    )
    store.log_metric(student, "val/ndcg_at_10", 0.125)
    lines = list_runs(store).splitlines()
    assert lines[0].split() == ["started", "stage", "name", "recall@10", "NDCG@10", "made", "from"]
    assert "student (KILLED)" in lines[1]
    assert "(0.1250)" in lines[1]
    assert lines[1].endswith("sasrec-s0, gone (removed)")
    assert "0.2000" in lines[2]


def test_trials_stay_hidden_until_they_are_asked_for(store: MlflowClient) -> None:
    made(store, "trial-7", stage="trial")
    made(store, "best")
    assert "trial-7" not in list_runs(store)
    assert "trial-7" in list_runs(store, everything=True)
    assert list_runs(store, stage="trial").count("\n") == 1
    assert list_runs(store, n=1).count("\n") == 1


def test_an_empty_store_says_how_to_begin(store: MlflowClient) -> None:
    assert "recdistill main" in list_runs(store)


def test_a_run_has_a_page_by_name_and_by_id(store: MlflowClient) -> None:
    run = made(store, "student")
    assert page_of_run(store, "student") == page_of_run(store, run)
    assert page_of_run(store, run).endswith(f"/runs/{run}")
    with pytest.raises(UserError, match="No run has the id or name 'nobody'"):
        page_of_run(store, "nobody")
