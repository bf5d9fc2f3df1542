"""A run's settings are repeated in another folder: files, folders and runs are named for that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from recdistill.data import Reading
from recdistill.runs import _verify, open_run, read_record
from recdistill.runs._found_anywhere import FOLDER, found_anywhere

if TYPE_CHECKING:
    from pathlib import Path

    from mlflow import MlflowClient


@dataclass
class Settings:
    """Some of a stage's on data."""

    data_path: str = "log.csv"
    train_file: str = ""
    reading: Reading = field(default_factory=Reading)
    prepared: str = ""
    extends: str = ""


@pytest.fixture
def tags(tmp_path: Path) -> dict[str, str]:
    """Of a run on the second of two prepared folders."""
    for name in ("shop", "shop-2"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "manifest.json").write_text("{}")
    return {FOLDER: str(tmp_path), "data.folder": "shop-2", "data.parent": "shop"}


def test_a_run_remembers_where_it_was_started(
    store: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(reading=Reading(items_file="items.csv"))
    with open_run("demo", settings) as run:
        pass
    store.set_tag(run.id, "git.dirty", "false")
    store.set_tag(run.id, "mlflow.source.git.commit", "c" * 40)
    monkeypatch.setattr(_verify, "_has", lambda _: True)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    found = read_record(store, run.id).settings
    assert found["data_path"] == str(tmp_path / "log.csv")
    assert found["reading"]["items_file"] == str(tmp_path / "items.csv")
    assert found["train_file"] == found["prepared"] == ""


@pytest.mark.parametrize("said", ["data/shop-2", "shop-2", "latest", "a-run-of-prepare-data"])
def test_prepared_data_are_where_they_were_then(
    said: str, tags: dict[str, str], tmp_path: Path
) -> None:
    found = found_anywhere({"prepared": said, "champion_run": "latest"}, tags)
    assert found == {"prepared": str(tmp_path / "data" / "shop-2"), "champion_run": "latest"}


@pytest.mark.parametrize("said", ["data/shop", "shop", "latest"])
def test_what_data_grew_from_is_found(said: str, tags: dict[str, str], tmp_path: Path) -> None:
    found = found_anywhere({"extends": said, "data_path": "new.csv"}, tags)
    assert found["extends"] == str(tmp_path / "data" / "shop"), "prepare_data extends it again"
    found = found_anywhere({"extends": said, "data_path": "new.csv", "prepared": ""}, tags)
    assert (found["prepared"], found["extends"]) == (str(tmp_path / "data" / "shop-2"), "")


def test_data_that_are_gone_are_named_by_where_they_were(
    tags: dict[str, str], tmp_path: Path
) -> None:
    gone = tags | {"data.folder": "shop-3"}
    assert found_anywhere({"prepared": "latest"}, gone)["prepared"] == str(tmp_path / "data/shop-3")


SAME: list[dict[str, Any]] = [
    {"data_path": "s3://lake/log.csv"},
    {"prepared": "s3://lake/prepared/shop"},
    {"output": "recommendations"},
    {"llm": "smollm2-135m", "encoders": ["org/model"]},
    {"train_file": "", "seed": 3, "lr": None},
]


@pytest.mark.parametrize("settings", SAME, ids=str)
def test_what_means_the_same_everywhere_stays(
    settings: dict[str, Any], tags: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "smollm2-135m").mkdir()
    assert found_anywhere(settings, tags) == settings


def test_paths_at_any_depth_are_whole(tags: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "tuned").mkdir()
    settings = {
        "train_file": "train.csv", "encoders": ["tuned", "org/model"],
        "preparing": {"reading.items_file": "items.csv", "split": "rolling"},
    }  # fmt: skip
    assert found_anywhere(settings, tags) == {
        "train_file": str(tmp_path / "train.csv"),
        "encoders": [str(tmp_path / "tuned"), "org/model"],
        "preparing": {"reading.items_file": str(tmp_path / "items.csv"), "split": "rolling"},
    }


@pytest.mark.parametrize(
    ("said", "again"),
    [
        ("x:0.9, y:0.1", "a1:0.9,b2:0.1"),
        ("x,y", "a1,b2"),
        ("x:late", "a1"),
    ],
)
def test_teachers_keep_the_weights_that_they_were_given(said: str, again: str) -> None:
    ids = "a1,b2" if "," in said else "a1"
    made = found_anywhere({"teacher_run": said}, {"teacher_run_id": ids})
    assert made == {"teacher_run": again}
    of_student = {"teacher_run_id": "t1,t2", "table_run_id": ids}
    assert found_anywhere({"teacher_run": said}, of_student) == {"teacher_run": again}
