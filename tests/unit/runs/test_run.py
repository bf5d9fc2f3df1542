"""Finished work is reused by content; interrupted work goes on in its own run."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from recdistill.errors import UserError
from recdistill.runs import _passing, find_run, open_run

if TYPE_CHECKING:
    from pathlib import Path

    from mlflow import MlflowClient

DATA = {"split": "d1"}


@dataclass
class Settings:
    """The settings of the stage of these tests."""

    seed: int = 0
    use_cache: bool = True


def compute(
    value: float, *, seed: int = 0, inputs: dict[str, str] = DATA, use_cache: bool = True
) -> str | None:
    """Run a stage that logs ``value``; return its run id, or None when it was reused."""
    with open_run("demo", Settings(seed), run_name=f"s{seed}-demo") as run:
        if run.already_done(inputs, use_cache=use_cache):
            return None
        run.log_metrics({"test/recall_at_10": value})
        return run.id


def test_the_same_content_is_computed_once_and_stood_for(store: MlflowClient) -> None:
    first = compute(0.25)
    assert compute(0.99) is None
    light = store.search_runs(["0"], "tags.`cache.hit_of` != ''")
    assert [r.data.tags["cache.hit_of"] for r in light] == [first]
    assert light[0].data.metrics["test/recall_at_10"] == 0.25
    assert light[0].info.status == "FINISHED"


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"inputs": {"split": "d2"}}, {"use_cache": False}], ids=str
)
def test_other_settings_data_or_wish_are_computed(
    store: MlflowClient, change: dict[str, object]
) -> None:
    assert compute(0.25)
    assert compute(0.5, **change)  # type: ignore[arg-type]


def test_an_interrupted_run_goes_on_under_its_own_id(store: MlflowClient) -> None:
    child = os.fork()
    if child == 0:
        with open_run("demo", Settings()) as run:
            run.already_done(DATA)
            (run.checkpoint_folder / "state").write_text("epoch 3")
            os._exit(0)
    os.waitpid(child, 0)
    interrupted = store.search_runs(["0"])[0].info.run_id
    with open_run("demo", Settings()) as run:
        wrapper = run.id
        assert not run.already_done(DATA)
        assert run.id == interrupted
        assert (run.checkpoint_folder / "state").read_text() == "epoch 3"
        run.log_metrics({"test/recall_at_10": 0.5})
        folder = run.checkpoint_folder
    assert not folder.exists(), "a finished run needs no state to resume from"
    assert store.get_run(interrupted).info.status == "FINISHED"
    stand_in = store.get_run(wrapper)
    assert stand_in.info.status == "FINISHED"
    assert stand_in.data.tags["cache.hit_of"] == interrupted
    assert stand_in.data.metrics["test/recall_at_10"] == 0.5


def test_latest_skips_other_stages_other_data_and_unfinished_runs(store: MlflowClient) -> None:
    good = compute(0.25)
    with open_run("other", Settings()):
        pass
    with pytest.raises(ZeroDivisionError), open_run("demo", Settings(seed=5)):
        _ = 1 / 0
    found = find_run(store, "latest", stages=("demo",))
    assert found.id == good
    assert find_run(store, "s0-demo", stages=("demo",)).id == good
    with pytest.raises(UserError, match="no finished run of demo on this data"):
        find_run(store, "latest", stages=("demo",), tags={"catalog.digest": "abc"})


def test_latest_passes_over_controls_but_who_names_one_gets_it(store: MlflowClient) -> None:
    good = compute(0.25)
    with open_run("demo", Settings(seed=6)) as run:
        run.log_params({"config.control": "none"})
    taught = run.id
    for seed in (7, 8, 9):
        with open_run("demo", Settings(seed=seed)) as run:
            run.log_params({"config.control": "no_lists"})
    assert find_run(store, "latest", stages=("demo",)).id == taught
    assert find_run(store, run.id, stages=("demo",)).id == run.id
    store.delete_run(taught)
    assert find_run(store, "latest", stages=("demo",)).id == good


def fill(database: Path, n: int, tags: dict[str, str]) -> None:
    """Put ``n`` finished runs, newer than all there are, into a store: by SQL, or it takes long."""
    began = int(time.time() * 1000) + 60_000
    with sqlite3.connect(database) as rows:
        columns = "run_uuid, name, user_id, start_time, status, lifecycle_stage, experiment_id"
        rows.executemany(
            f"INSERT INTO runs ({columns}) VALUES (?, ?, 'me', ?, 'FINISHED', 'active', 0)",  # noqa: S608
            [(f"{i:032x}", f"r{i}", began + i) for i in range(n)],
        )
        rows.executemany(
            "INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)",
            [(key, value, f"{i:032x}") for i in range(n) for key, value in tags.items()],
        )


def test_look_ups_are_right_and_one_query_with_many_newer_runs(
    store: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = compute(0.25)
    fill(tmp_path / "mlflow.db", 700, {"stage": "other", "split.digest": "d1"})
    asked: list[int] = []
    search = type(store).search_runs

    def counted(client: MlflowClient, *args: object, **how: object) -> object:
        found = search(client, *args, **how)  # type: ignore[arg-type]
        asked.append(len(found))
        return found

    monkeypatch.setattr(type(store), "search_runs", counted)
    assert find_run(store, "latest", stages=("demo",)).id == good
    assert asked == [1]
    assert find_run(store, "latest", stages=("demo", "other")).stage == "other"
    asked.clear()
    assert compute(0.25) is None
    assert sum(asked) <= 3, "the runs that may be dead, and the one of this key"


def test_a_stand_in_whose_origin_was_removed_is_no_result(store: MlflowClient) -> None:
    first = compute(0.25)
    assert compute(0.25) is None
    store.delete_run(first)
    assert compute(0.5)
    assert compute(0.5) is None


def test_a_run_interrupted_twice_goes_on_in_the_first_one(store: MlflowClient) -> None:
    for _ in range(3):
        child = os.fork()
        if child == 0:
            with open_run("demo", Settings()) as run:
                run.already_done(DATA)
                (run.checkpoint_folder / "state").write_text("epoch 3")
                os._exit(0)
        os.waitpid(child, 0)
    first = store.search_runs(["0"])[-1].info.run_id
    with open_run("demo", Settings()) as run:
        assert not run.already_done(DATA)
        assert run.id == first
    assert {r.info.status for r in store.search_runs(["0"])} == {"FINISHED", "KILLED"}


def test_a_copied_artifact_goes_with_the_run_and_a_local_one_is_not_copied(
    store: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_run("demo", Settings(), run_name="s0-demo") as run:
        run.log_text("0.5", "model/weights.txt")
        lies_at = store.get_run(run.id).info.artifact_uri
    found = find_run(store, "s0-demo", stages=("demo",)).artifact("model")
    assert str(found).startswith(lies_at.removeprefix("file://"))
    monkeypatch.setattr(_passing, "urlsplit", lambda uri: SimpleNamespace(scheme="http"))
    with open_run("other", Settings()) as run:
        copy = find_run(store, "s0-demo", stages=("demo",)).artifact("model")
        assert run.folder in copy.parents
        assert (copy / "weights.txt").read_text() == "0.5"
    assert not copy.exists()


def test_a_reference_to_a_stand_in_leads_to_the_files(store: MlflowClient) -> None:
    first = compute(0.25)
    compute(0.25)
    assert find_run(store, "latest", stages=("demo",)).id == first


@pytest.mark.parametrize(
    ("reference", "says"),
    [("nothing-like-it", "No run has the id or name"), ("s7-failed", "is FAILED")],
)
def test_a_reference_that_leads_nowhere_says_why(
    store: MlflowClient, reference: str, says: str
) -> None:
    with pytest.raises(ZeroDivisionError), open_run("demo", Settings(), run_name="s7-failed"):
        _ = 1 / 0
    with pytest.raises(UserError, match=says):
        find_run(store, reference, stages=("demo",))
    with pytest.raises(UserError, match="is of stage demo; this needs one of distill"):
        find_run(store, "s7-failed", stages=("distill",))


def test_a_card_of_any_length_is_taken(store: MlflowClient) -> None:
    with open_run("demo", Settings()) as run:
        run.note("word " * 4000)
    card = store.get_run(run.id).data.tags["mlflow.note.content"]
    assert card == ("word " * 4000)[:8000]


def test_a_missing_artifact_names_run_and_file(store: MlflowClient) -> None:
    compute(0.25)
    with pytest.raises(UserError, match=r"'s0-demo' .* has no artifact 'model'"):
        find_run(store, "latest", stages=("demo",)).artifact("model")


def test_the_next_stage_clears_the_scratch_of_a_killed_one_and_of_no_living_one(
    store: MlflowClient, tmp_path: Path
) -> None:
    child = os.fork()
    if child == 0:
        with open_run("demo", Settings()) as run:
            (run.folder / "model").write_text("large")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    scratch = tmp_path / ".recdistill" / "scratch"
    assert [(folder / "model").read_text() for folder in scratch.iterdir()] == ["large"]
    with open_run("demo", Settings(seed=1)) as living:
        with open_run("demo", Settings(seed=2)):
            assert living.folder.is_dir()
            assert len(list(scratch.iterdir())) == 2
        assert living.folder.is_dir()
    assert not list(scratch.iterdir())


def test_a_working_folder_that_takes_no_files_is_one_sentence_and_no_open_run(
    store: MlflowClient, tmp_path: Path
) -> None:
    (tmp_path / ".recdistill").write_text("a file where a folder must be")
    with (
        pytest.raises(UserError, match="does not take the run's files"),
        open_run("demo", Settings()),
    ):
        raise AssertionError("unreachable")
    assert [run.info.status for run in store.search_runs(["0"])] == ["FAILED"]
