"""Three simulated days of a shop, learnt every night; every night is killed at random moments."""

from __future__ import annotations

import importlib
import os
import random
import shutil
import signal
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient

from recdistill.data import load_prepared
from recdistill.serving import (
    CHAMPION,
    Registry,
    TopK,
)
from recdistill.serving._rules import PREVIOUS
from tests.faults.process import start, start_stage, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

NAME = "recdistill-shop"
# The first kill of a night finds it at work on any machine, the later ones where they find it.
KILLED_WITHIN, SECONDS = (1.0, 4.0, 8.0), 300
SETTINGS = {
    "dataset": "shop",
    "inbox": "days",
    "preparing": {"split": "rolling", "rolling.days": "1"},
    "training": {
        "max_epochs": "10", "max_length": "10", "student.dim": "16",
        "student.item_start": "random", "optimizer.lr": "0.02", "tokens_per_batch": "400",
    },
    "updating": {"epochs": "10", "lr_share": "1.0"},
    # Milliseconds of one request say nothing on a machine that does other things beside.
    "promoting": {"limits.latency": "100"},
}  # fmt: skip
STAGES = ("nightly", "prepare_data", "train_baseline", "update", "promote")
IMPORTED = ["recdistill.runs._open_run", "pytorch_lightning", *(f"projects.{s}" for s in STAGES)]
FIRST = datetime(2026, 11, 1, tzinfo=UTC)


def day(folder: Path, number: int, days: range) -> None:
    """Write the interactions of some days.

    Every day brings an item: half of the users take it at once, the others the day after. Who has
    not learnt the newest day is behind, and loses the challenge by the rules that a shop has.
    """
    draw = np.random.default_rng(number)
    rows = []
    for date in days:
        for user in range(150):
            newest = max(30 + date - user % 2, 30)
            for place, item in enumerate((newest, int(draw.integers(30)))):
                when = FIRST + timedelta(days=date, seconds=user * 60 + place)
                rows.append((f"u{user}", f"i{item}", int(when.timestamp())))
    frame = pd.DataFrame(rows, columns=["user", "item", "timestamp"])
    frame.to_csv(folder / "days" / f"day{number}.csv", index=False)


@pytest.fixture
def shop(tmp_path: Path, empty_database: Path) -> Iterator[Path]:
    """A working folder with an empty store and an inbox."""
    (tmp_path / "days").mkdir()
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    (tmp_path / "nightly.yaml").write_text(yaml.safe_dump(SETTINGS))
    before, here = mlflow.get_tracking_uri(), os.getcwd()  # noqa: PTH109
    os.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    yield tmp_path
    os.chdir(here)
    mlflow.set_tracking_uri(before)


def ended(child: int, deadline: float) -> int | None:
    """Wait for a night's end until the deadline; its status, or None when it is still at work."""
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    return None


def night(folder: Path) -> None:
    """Let a night end by itself."""
    child = start_stage(folder, "nightly", ["--config=nightly.yaml"])
    status = ended(child, time.monotonic() + SECONDS)
    if status is None:
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert status == 0, (folder / "log.txt").read_text()[-3000:]


def served(folder: Path) -> int:
    """Who serves, asked in a fork, 0 for nobody; who does must be whole and answer."""

    def work() -> None:
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        champion = Registry(MlflowClient(), NAME).holder(CHAMPION)
        if champion is None:
            raise SystemExit(0)
        top_k = TopK.read(champion.student(), n_threads=1)
        top_k.recommend(np.array([1]), np.array([0, 1]), 3)
        raise SystemExit(champion.number)

    return wait_for(start(folder, work))


def killed_night(folder: Path, moments: random.Random, before: int) -> int:
    """Kill a night at drawn moments; return how often it was still at work."""
    n_killed = 0
    for seconds in KILLED_WITHIN:
        child = start_stage(folder, "nightly", ["--config=nightly.yaml"])
        if ended(child, time.monotonic() + moments.uniform(0.05, seconds)) is None:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            n_killed += 1
        assert served(folder) in (before, before + 1)
    return n_killed


def test_three_days_whose_nights_are_killed_again_and_again(shop: Path) -> None:
    for name in IMPORTED:  # once: a night is then a fork, and starts at once
        importlib.import_module(name)
    moments, n_killed = random.Random(19), 0  # noqa: S311
    for number, days in enumerate((range(6), range(6, 7), range(7, 8))):
        day(shop, number, days)
        n_killed += killed_night(shop, moments, before=number)
        night(shop)
        assert served(shop) == number + 1
    night(shop)  # started once more, it finds everything done
    assert served(shop) == 3
    assert n_killed >= 3  # one of every day, at the least

    registry = Registry(MlflowClient(), NAME)
    assert registry.holder(PREVIOUS).number == 2
    versions = MlflowClient().search_model_versions(f"name='{NAME}'")
    challenges = {int(one.version): one.tags["challenge"] for one in versions}
    assert challenges == {1: "first", 2: "passed", 3: "passed"}  # and no night was learnt twice
    # No day lost: the last folder holds the rows of every file, and the champion its items.
    champion = registry.holder(CHAMPION)
    folders = [load_prepared(path.parent) for path in shop.glob("data/*/manifest.json")]
    (data,) = [one for one in folders if one.split_digest == champion.tags["split.digest"]]
    rows = pd.concat(pd.read_csv(path) for path in sorted((shop / "days").glob("*.csv")))
    assert data.manifest["counts"]["n_read"] == len(rows)
    names = TopK.read(champion.student(), n_threads=1).names
    assert set(names.raw_ids[1:]) == set(rows["item"])
