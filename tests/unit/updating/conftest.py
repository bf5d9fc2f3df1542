"""A small shop at two times: four weeks of steps through a catalog that grows in the last two."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from recdistill.data import DataConfig, PreparedData, Rolling, Sequences, prepare

N_OLD, N_THIRD, N_FOURTH, DAYS = 20, 4, 2, 28


class Times(NamedTuple):
    """The shop's log, and what was prepared of it a week apart."""

    path: Path
    before: PreparedData
    now: PreparedData


class Log:
    """Users with training rows: what functions read of prepared data."""

    def __init__(self, rows: dict[str, list[int]]) -> None:
        self.train, self.users = Sequences.from_lists(rows.values()), np.array([*rows], object)
        self.folder = Path("drawn")


def write_shop(path: Path) -> Path:
    """Users step one to three items on each day they come; the last two weeks open some each."""
    random = np.random.default_rng(3)
    lines = ["user,item,timestamp"]
    for user in range(60):
        item = int(random.integers(N_OLD))
        for day in np.flatnonzero(random.random(DAYS) < 0.6):
            n_open = N_OLD + N_THIRD * (day >= 14) + N_FOURTH * (day >= 21)
            item = (item + int(random.integers(1, 4))) % n_open
            lines.append(f"u{user},i{item:02d},{day * 86_400 + 60 * user}")
    path.write_text("\n".join(lines) + "\n")
    return path


def prepared(
    path: Path, until: str, root: Path, extends: str = "", *, dataset: str = "steps"
) -> PreparedData:
    return prepare(
        DataConfig(
            dataset=dataset,
            data_path=str(path),
            split="rolling",
            rolling=Rolling(7),
            until=until,
            extends=extends,
        ),
        root,
    )


@pytest.fixture
def times(tmp_path: Path) -> Times:
    """The shop after three weeks and after four; what is prepared last grew from the first."""
    path, root = write_shop(tmp_path / "steps.csv"), tmp_path / "data"
    before = prepared(path, "1970-01-22", root)
    return Times(path, before, prepared(path, "1970-01-29", root, before.folder.name))
