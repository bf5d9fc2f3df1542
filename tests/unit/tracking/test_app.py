"""What the team server's workers change in MLflow's server."""

from __future__ import annotations

import pytest

from tracking._app import keep_one_client

s3 = pytest.importorskip("mlflow.store.artifact.s3_artifact_repo")
pytest.importorskip("boto3")


def test_a_day_of_work_takes_one_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(s3, "_MAX_CACHE_SECONDS", s3._MAX_CACHE_SECONDS)  # is put back
    s3._cached_get_s3_client.cache_clear()

    def clients_of_a_day() -> set[int]:
        made = set()
        for hour in range(24):
            monkeypatch.setattr(s3, "_get_utcnow_timestamp", lambda at=hour: 3600.0 * at)
            made.add(id(s3._get_s3_client(access_key_id="name", secret_access_key="word")))
        return made

    assert len(clients_of_a_day()) > 1, "MLflow's own way, which would make this needless"
    keep_one_client()
    assert len(clients_of_a_day()) == 1
    s3._cached_get_s3_client.cache_clear()
