"""Small data sets written to disk, and a data set prepared from rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recdistill.data import DataConfig, PreparedData, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

ROWS = [
    ("ann", "b", 30),
    ("ann", "a", 10),
    ("ann", "c", 20),
    ("ann", "d", 40),
    ("bob", "a", 5),
    ("bob", "d", 15),
    ("bob", "c", 25),
    ("cleo", "b", 35),
    ("cleo", "a", 45),
]
ITEMS = [("a", "Alien"), ("b", "Brazil"), ("c", "Casino"), ("d", "Diva")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound folder of interactions.csv and items.csv."""
    path = tmp_path / "shop"
    path.mkdir()
    write_rows(path / "interactions.csv", ROWS)
    lines = [f"{item},{title}" for item, title in ITEMS]
    (path / "items.csv").write_text("\n".join(["item,title", *lines]) + "\n")
    return path


def write_rows(path: Path, rows: Sequence[tuple[object, object, object]]) -> Path:
    """Write interactions as CSV with a header."""
    lines = [",".join(map(str, row)) for row in rows]
    path.write_text("\n".join(["user,item,timestamp", *lines]) + "\n")
    return path


@pytest.fixture
def shop(folder: Path, tmp_path: Path) -> Callable[..., PreparedData]:
    """Prepare the small folder with any settings changed."""

    def prepare_it(**changed: object) -> PreparedData:
        settings = {"dataset": "shop", "data_path": str(folder)} | changed
        return prepare(DataConfig(**settings), tmp_path / "data")  # type: ignore[arg-type]

    return prepare_it
