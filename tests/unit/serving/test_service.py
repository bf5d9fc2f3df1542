"""The live model: a new champion takes over under requests, a broken one does not."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from typing import TYPE_CHECKING, Any

import mlflow
import pytest
from fastapi.testclient import TestClient

from recdistill.errors import UserError
from recdistill.serving import (
    LiveModel,
    Registry,
    RequestLog,
    log_served_model,
    read_log,
    serve,
)
from recdistill.serving._request_log import _utc
from recdistill.serving._service import Watcher, build_app
from tests.unit.serving.shops import packaged, shop, untrained

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "recdistill-shop"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Registry]:
    """Two versions of differing weights; nobody serves yet."""
    folder = tmp_path_factory.mktemp("registry")
    shutil.copy(empty_database, folder / "mlflow.db")
    before, uri = os.getcwd(), mlflow.get_tracking_uri()  # noqa: PTH109
    os.chdir(folder)
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    registry = Registry(mlflow.MlflowClient(), NAME)
    data = shop(folder, n_users=20)
    for seed in (1, 2):
        own = folder / str(seed)
        student = packaged(untrained(data, seed=seed), data, own)
        with mlflow.start_run():
            registry.register(log_served_model(student, own, tags={}), {})
    yield registry
    os.chdir(before)
    mlflow.set_tracking_uri(uri)


def ask(client: TestClient, *history: str) -> Any:
    return client.post("/invocations", json={"dataframe_records": [{"history": list(history)}]})


def answer_of(number: int, registry: Registry) -> Any:
    registry.seat(registry.version(number))
    client = TestClient(build_app(LiveModel(registry)))
    return ask(client, "r1", "r2").json()


def test_a_promotion_under_requests_loses_none_and_mixes_none(
    registry: Registry, tmp_path: Path
) -> None:
    expected = {number: answer_of(number, registry) for number in (2, 1)}
    assert expected[1] != expected[2]
    log = RequestLog(tmp_path)
    live = LiveModel(registry, log)
    client = TestClient(build_app(live))
    assert client.get("/champion").json() == {"name": NAME, "version": 1}
    answers: list[Any] = []
    swapped = threading.Event()

    def requests() -> None:
        after = 0
        while len(answers) < 3000 and after < 5:
            answers.append(ask(client, "r1", "r2"))
            after += swapped.is_set()

    asking = [threading.Thread(target=requests) for _ in range(2)]
    with Watcher(live, every=0.05, log_every=0.1):
        for thread in asking:
            thread.start()
        registry.seat(registry.version(2))
        for _ in range(600):
            if live.version == 2:
                break
            threading.Event().wait(0.05)
        swapped.set()
        for thread in asking:
            thread.join()
    assert live.version == 2
    assert {answer.status_code for answer in answers} == {200}
    bodies = [answer.json() for answer in answers]
    assert all(body in expected.values() for body in bodies)
    assert bodies[-1] == expected[2]
    counted = [
        read_log(tmp_path, version=number, until=_utc(), hours=1).traffic.n_requests
        for number in (1, 2)
    ]
    assert sum(counted) == len(answers)
    assert all(counted)


def test_a_champion_that_cannot_be_loaded_leaves_the_old_one_serving(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    registry.seat(registry.version(1))
    live = LiveModel(registry)
    client = TestClient(build_app(live))
    before = ask(client, "r1").json()
    broken = registry.client.create_model_version(NAME, "/nowhere/at/all").version
    registry.seat(registry.version(int(broken)))
    assert not live.refresh()
    assert "version 1 goes on" in caplog.text
    assert ask(client, "r1").json() == before
    registry.roll_back()
    assert not live.refresh()
    assert live.version == 1


def test_a_refused_request_is_counted_with_its_unknown_items(
    registry: Registry, tmp_path: Path
) -> None:
    registry.seat(registry.version(1))
    log = RequestLog(tmp_path)
    client = TestClient(build_app(LiveModel(registry, log)))
    assert ask(client, "r1", "gone").status_code == 400
    assert client.post("/invocations", json={"inputs": {"history": [["r1"]]}}).status_code == 200
    log.flush()
    found = read_log(tmp_path, version=1, until=_utc(), hours=1).traffic
    assert (found.n_requests, found.n_refused, found.n_items, found.n_unknown) == (2, 1, 3, 1)


def test_without_a_champion_nothing_is_served(registry: Registry) -> None:
    with pytest.raises(UserError, match="There is no other@champion yet"):
        LiveModel(Registry(registry.client, "other"))


def test_a_service_that_is_asked_to_end_counts_its_last_requests(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uvicorn raises the signal again when its server has ended; here that is all it does."""
    registry.seat(registry.version(1))
    live = LiveModel(registry, RequestLog(tmp_path))

    def run(app: Any, **_: Any) -> None:
        assert ask(TestClient(app), "r1", "r2").status_code == 200
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("uvicorn.run", run)
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as left:
            serve(live, host="127.0.0.1", port=0, every=3600, log_every=3600)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert left.value.code == 0
    assert read_log(tmp_path, version=1, until=_utc(), hours=1).traffic.n_requests == 1
