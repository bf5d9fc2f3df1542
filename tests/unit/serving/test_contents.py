"""Results of yesterday's users, student or items are never taken for today's."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recdistill.data import Sequences
from recdistill.errors import UserError
from recdistill.serving import Scoring, score
from recdistill.serving._contents import (
    contents_of_everybody,
    contents_of_student,
    contents_of_users,
)
from recdistill.serving._histories import read_parts
from tests.unit.serving.shops import packaged, shop, untrained

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, *histories: list[str]) -> Path:
    path.parent.mkdir(exist_ok=True)
    names = [f"{path.stem}-{i}" for i in range(len(histories))]
    pq.write_table(pa.table({"user": names, "history": list(histories)}), path)
    return path


@pytest.fixture
def student(tmp_path: Path) -> Path:
    """A packaged student of forty items r1, r2, ..."""
    data = shop(tmp_path)
    return packaged(untrained(data), data, tmp_path)


def test_the_same_path_with_other_users_is_another_scoring(student: Path, tmp_path: Path) -> None:
    users, out = write(tmp_path / "users.parquet", ["r1"], ["r2"], ["r3"]), tmp_path / "out"
    scoring = Scoring("run", str(users), k=3, part_size=2)
    score(student, scoring, out)
    os.utime(users)  # touched and not changed
    assert score(student, scoring, out).n_earlier == 2
    write(users, ["r1"], ["r2"], ["r4"])
    before = {path: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(UserError, match=r"\(contents of users differ\): name another output fold"):
        score(student, scoring, out)
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    assert score(student, scoring, tmp_path / "next").n_users == 3


def test_every_file_of_a_folder_and_its_order_count(tmp_path: Path) -> None:
    folder = tmp_path / "users"
    first, second = write(folder / "a.parquet", ["r1"]), write(folder / "b.parquet", ["r2"])
    one = contents_of_users(folder)
    (folder / "_SUCCESS").touch()  # what readers of Parquet folders pass over
    assert contents_of_users(folder) == one
    second.rename(folder / "0.parquet")
    assert contents_of_users(folder) != one
    (folder / "0.parquet").rename(second)
    assert contents_of_users(folder) == one
    first.unlink()
    assert contents_of_users(folder) != one


def test_another_student_of_the_same_name_and_other_new_items_are_refused(
    student: Path, tmp_path: Path
) -> None:
    users = write(tmp_path / "users.parquet", ["r1"])
    scoring = Scoring("run", str(users), k=3)
    score(student, scoring, tmp_path / "out")
    with pytest.raises(UserError, match=r"\(new_items differ\)"):
        score(student, replace(scoring, new_items="items.csv"), tmp_path / "out")
    held = contents_of_student(student, with_new_items=True)
    (student / "weights.safetensors").write_bytes(b"others")
    with pytest.raises(UserError, match=r"\(contents of the student differ\)"):
        score(student, scoring, tmp_path / "out")
    # Vectors of new items come out a bit different elsewhere: there the catalog counts.
    assert contents_of_student(student, with_new_items=True) == held
    (student / "catalog.csv").write_text("other items")
    assert contents_of_student(student, with_new_items=True) != held


def test_everybodys_histories_count(student: Path, tmp_path: Path) -> None:
    data = shop(tmp_path, n_users=5)
    scoring = Scoring("run", "", k=3)
    score(student, scoring, tmp_path / "out", data=data)
    grown = replace(data, test=replace(data.test, targets=data.test.targets % 40 + 1))
    with pytest.raises(UserError, match=r"\(contents of users differ\)"):
        score(student, scoring, tmp_path / "out", data=grown)
    users, histories = np.array(["a", "b"], object), Sequences.from_lists([[1, 2], [3]])
    one = contents_of_everybody(users, histories)
    assert contents_of_everybody(users, Sequences.from_lists([[1], [2, 3]])) != one
    assert contents_of_everybody(users[::-1], histories) != one


def test_users_written_while_they_are_read_are_noticed(
    student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = write(tmp_path / "users.parquet", ["r1"], ["r2"])

    def overtaken(*asked: object) -> object:
        yield from read_parts(*asked)  # type: ignore[arg-type]
        write(users, ["r3"], ["r4"])

    monkeypatch.setattr("recdistill.serving._score.read_parts", overtaken)
    with pytest.raises(UserError, match=r"users\.parquet was written while it was read: remove"):
        score(student, Scoring("run", str(users), k=3), tmp_path / "out")


def test_a_folder_of_before_contents_were_noted_says_so(student: Path, tmp_path: Path) -> None:
    users, out = write(tmp_path / "users.parquet", ["r1"]), tmp_path / "out"
    scoring = Scoring("run", str(users), k=3)
    score(student, scoring, out)
    noted = json.loads((out / "_settings.json").read_text())
    older = {k: v for k, v in noted.items() if not k.startswith("contents") and k != "new_items"}
    (out / "_settings.json").write_text(json.dumps(older))
    with pytest.raises(UserError, match="earlier version, which did not note the contents of us"):
        score(student, scoring, out)
