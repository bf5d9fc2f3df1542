"""What is kept: what serves, what it was made from, and nothing that only came before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mlflow import MlflowClient

from tracking._retention import judge

if TYPE_CHECKING:
    from pathlib import Path

METRIC = "test/ndcg_at_10"


@pytest.fixture
def client(tmp_path: Path) -> MlflowClient:
    address = f"sqlite:///{tmp_path}/mlflow.db"
    made = MlflowClient(address)
    made.create_experiment("shop", artifact_location=str(tmp_path / "artifacts"))
    return made


def finished(client: MlflowClient, stage: str, name: str, ndcg: float = 0.1, **tags: str) -> str:
    run = client.create_run("1", run_name=name, tags={"stage": stage, **tags})
    client.log_metric(run.info.run_id, METRIC, ndcg)
    client.set_terminated(run.info.run_id)
    return run.info.run_id


def kept(client: MlflowClient) -> set[str | None]:
    return {v.run.info.run_name for v in judge(client, METRIC, keep_last=1) if v.keep}


def test_the_student_that_serves_stays_with_its_vectors_and_teachers(client: MlflowClient) -> None:
    yesterday = finished(client, "update", "the night before")
    vectors = finished(client, "embed_items", "vectors")
    lists = finished(client, "make_transfer_set", "lists")
    made_from = {"text_run_id": vectors, "transfer_run_id": lists}
    student = finished(client, "update", "student", champion_run_id=yesterday, **made_from)
    packaged = finished(client, "promote", "packaged", model_run_id=student)
    client.create_registered_model("shop")
    client.create_model_version("shop", "anywhere", packaged, tags={"model_run_id": student})
    for stage in ("embed_items", "make_transfer_set", "promote"):
        finished(client, stage, f"newest {stage}", 0.9)
    finished(client, "update", "best update", 0.9)
    finished(client, "update", "newest update")
    assert kept(client) >= {"student", "packaged", "vectors", "lists"}
    assert "the night before" not in kept(client), "a chain of nights would keep all of them"


def test_a_version_of_before_names_its_student_by_its_run(client: MlflowClient) -> None:
    student = finished(client, "distill", "student")
    packaged = finished(client, "promote", "packaged", model_run_id=student)
    client.create_registered_model("shop")
    client.create_model_version("shop", "anywhere", packaged)
    finished(client, "distill", "best", 0.9)
    finished(client, "distill", "newest")
    assert {"student", "packaged"} <= kept(client)
