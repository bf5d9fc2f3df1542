"""The doctor with a tracking store, and without one."""

from __future__ import annotations

import socket

import mlflow
import pytest

from projects import doctor
from recdistill import doctor as checks
from tests.recipes.conftest import Recipe, artifacts


@pytest.fixture(autouse=True)
def no_gpu_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the child process that imports torch; its own tests start it."""
    answer = {"torch": "2", "runtime": None, "available": False}
    monkeypatch.setattr(checks, "_check_cuda", lambda flags, seconds: answer)


def test_findings_are_printed_and_kept(recipe: Recipe, capsys: pytest.CaptureFixture[str]) -> None:
    run = recipe("doctor")
    assert {"doctor.md", "doctor.json"} == artifacts(run) & {"doctor.md", "doctor.json"}
    assert "answers" in capsys.readouterr().out
    assert run.data.metrics["doctor/n_error"] == 0


def test_a_store_that_is_down_is_a_finding(
    workshop: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"http://127.0.0.1:{port}")
    try:
        with pytest.raises(SystemExit) as left:
            doctor.main([])
    finally:
        mlflow.set_tracking_uri(before)
    assert left.value.code == 1
    said = capsys.readouterr().out
    assert (
        f"| error | tracking | The tracking store cannot be used: http://127.0.0.1:{port}" in said
    )
    assert "| ok | python |" in said
    assert "nothing was recorded" in said
