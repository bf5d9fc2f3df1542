"""The champion over HTTP and in the browser, in the words of the guide (docs/guides/serving.md)."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TYPE_CHECKING, Any

import mlflow
import pandas as pd
import pytest
import requests
from _servers import environment, free_port, running
from mlflow import MlflowClient

from recdistill.data import Catalog
from recdistill.runs import model_url
from recdistill.serving import Registry, gather_student, log_served_model
from recdistill.students import StudentConfig, StudentRecommender, build_student, save_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from _browser import Browser

pytestmark = pytest.mark.e2e

NAME = "recdistill-films"
TITLES = ["Toy Story", "Sabrina", "Sabrina", *(f"Film {i}" for i in range(4, 41))]


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> tuple[str, str]:
    """A store with a registered student: the store's address and the student's."""
    folder = tmp_path_factory.mktemp("champion")
    shutil.copy(empty_database, folder / "mlflow.db")
    years = range(1961, 1961 + len(TITLES))
    items = pd.DataFrame(
        {
            "raw_id": [f"m{i}" for i in range(1, len(TITLES) + 1)],
            "title": TITLES,
            "text": [f"{title} ({year})" for title, year in zip(TITLES, years, strict=True)],
        },
        index=pd.RangeIndex(1, len(TITLES) + 1, name="item"),
    )
    catalog, config = Catalog(items), StudentConfig(dim=16, max_length=20)
    model = build_student(config, catalog.n_items, seed=0)
    save_model(StudentRecommender(model, config, catalog.digest, "split"), folder / "model")
    items.reset_index().to_csv(folder / "catalog.csv", index=False)
    student = gather_student(folder / "model", folder / "catalog.csv", folder / "student")
    before, store = mlflow.get_tracking_uri(), f"sqlite:///{folder}/mlflow.db"
    mlflow.set_tracking_uri(store)
    experiment = mlflow.create_experiment("films", str(folder / "artifacts"))
    tags = {"dataset": "films", "test/ndcg_at_10": "0.1523"}
    with mlflow.start_run(experiment_id=experiment, run_name="lam0.3-s0-distill"):
        address = log_served_model(student, folder, tags=tags)
    registry = Registry(MlflowClient(store), NAME)
    registry.seat(registry.register(address, tags))
    mlflow.set_tracking_uri(before)
    return store, f"models:/{NAME}@champion"


@pytest.fixture(scope="module")
def served(champion: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of ``mlflow models serve`` on the champion."""
    store, model = champion
    url = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"]
    command += ["-m", model, "--host", "127.0.0.1", "--port", url.rsplit(":", 1)[1]]
    env = environment(MLFLOW_TRACKING_URI=store)
    with running(command, url, tmp_path_factory.mktemp("serve") / "server.log", env):
        yield url


def ask(url: str, *histories: Any, **params: Any) -> requests.Response:
    body = {"dataframe_records": [{"history": h} for h in histories], "params": params}
    return requests.post(f"{url}/invocations", json=body, timeout=60)


def test_raw_ids_and_titles_get_items_titles_and_scores(served: str) -> None:
    answer = ask(served, ["m1", "m7"], ["Toy Story", "Film 7 (1967)"], k=3, exclude=["Film 9"])
    assert answer.status_code == 200, answer.text
    by_id, by_title = answer.json()["predictions"]
    assert by_id["items"] == by_title["items"]
    assert len(by_id["titles"]) == 3
    assert by_id["scores"] == sorted(by_id["scores"], reverse=True)
    assert not {"m1", "m7", "m9"} & set(by_id["items"])


def test_the_input_of_other_clients_works_too(served: str) -> None:
    body = {"inputs": {"history": [["m1"], ["m2", "m3"]]}}
    answer = requests.post(f"{served}/invocations", json=body, timeout=60)
    assert [len(row["items"]) for row in answer.json()["predictions"]] == [10, 10]


@pytest.mark.parametrize(
    ("histories", "params", "complaint"),
    [
        ([["m1"], ["m99"]], {}, "history of row 1: 'm99' is neither a raw id nor a title"),
        ([["Sabrina"]], {}, "'m2' (Sabrina (1962)), 'm3' (Sabrina (1963))"),
        ([[]], {}, "history of row 0 is empty"),
        ([["m1"]], {"k": 40}, "k is 40; it must be between 1 and 39"),
        ([["m1"]], {"k": "many"}, "k"),
    ],
)
def test_a_wrong_request_is_a_400_that_says_why(
    served: str, histories: list[Any], params: dict[str, Any], complaint: str
) -> None:
    answer = ask(served, *histories, **params)
    assert answer.status_code == 400
    assert complaint in answer.json()["message"]
    assert "Traceback" not in answer.text


def test_one_user_is_answered_in_milliseconds(served: str) -> None:
    """A guard against a slow path, not a measurement (benchmarks/serving_speed.py is)."""
    taken = []
    for _ in range(30):
        started = time.perf_counter()
        assert ask(served, ["m1", "m7", "m9"]).ok
        taken.append(time.perf_counter() - started)
    assert min(taken) < 0.1


def test_the_registry_shows_who_is_champion(local_server: str, browser: Browser) -> None:
    client = MlflowClient(local_server)
    run_id = client.create_run(client.create_experiment("promotions")).info.run_id
    client.create_registered_model(NAME)
    version = client.create_model_version(
        NAME, f"runs:/{run_id}/served", run_id, {"test/ndcg_at_10": "0.1523"}
    ).version
    client.set_registered_model_alias(NAME, "champion", version)
    browser.click_away(local_server)
    browser.open(model_url(local_server, NAME), shows="Version 1")
    browser.wait_for("champion")
    browser.screenshot("registered-model")
