"""Everybody has everything they did, whatever the split held back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from recdistill.config import from_plain
from recdistill.data import DataConfig, PreparedData, prepare, whole_histories
from recdistill.errors import UserError

from .conftest import write_rows

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400
SPLITS: list[dict[str, Any]] = [
    {"split": "leave_one_out"},
    *({"split": "rolling", "rolling": {"targets": kind}} for kind in ("first", "last", "all")),
    *({"split": "global_temporal", "temporal": {"targets": k}} for k in ("first", "last", "all")),
    {"split": "cold_items"},
]
Rows = list[tuple[str, str, int]]


def drawn(days: range, seed: int = 3) -> Rows:
    """Rows of a few weeks: some users come once, some in the last week alone."""
    draw = np.random.default_rng(seed)
    rows = [
        (f"u{user}", f"i{draw.integers(30)}", int(day * DAY + draw.integers(DAY)))
        for user in range(60)
        for day in days
        if draw.random() < 0.25 and (user % 4 or day > 21)
    ]
    return [*rows, ("once", "i1", days.start * DAY + 5)]


def prepared(folder: Path, rows: Rows, **asked: Any) -> PreparedData:
    path = write_rows(folder / f"rows{rows[0][2]}.csv", rows)
    config = {"dataset": "shop", "data_path": str(path), **asked}
    return prepare(from_plain(DataConfig, config), folder / "data")


def found(data: PreparedData) -> dict[str, list[str]]:
    users, histories = whole_histories(data)
    raw = np.array(["", *data.catalog.items["raw_id"]], dtype=object)
    assert len(users) == len(set(users)) == len(histories)
    return {user: raw[histories.row(at)].tolist() for at, user in enumerate(users)}


def did(rows: Rows) -> dict[str, list[str]]:
    """Everything that users with two rows or more did, written the slow way."""
    by_user: dict[str, list[tuple[int, str]]] = {}
    for user, item, when in rows:
        by_user.setdefault(user, []).append((when, item))
    ordered = {user: sorted(some, key=lambda row: row[0]) for user, some in by_user.items()}
    return {u: [item for _, item in some] for u, some in ordered.items() if len(some) > 1}


@pytest.mark.parametrize("asked", SPLITS)
def test_everybody_has_everything_they_did(tmp_path: Path, asked: dict[str, Any]) -> None:
    rows = drawn(range(28))
    data = prepared(tmp_path, rows, **asked)
    assert found(data) == did(rows)
    kept = dict.fromkeys(data.users)
    assert [user for user in whole_histories(data)[0] if user in kept] == list(kept)


def test_a_grown_log_a_sample_and_the_rules_of_cleaning_count(tmp_path: Path) -> None:
    first, then = drawn(range(25)), drawn(range(25, 32), seed=4)
    past = prepared(tmp_path, first, split="rolling")
    grown = prepared(tmp_path, then, split="rolling", extends=str(past.folder))
    assert found(grown) == did([*first, *then])
    asked = {"split": "rolling", "max_users": 20, "cleaning": {"repeats": "first"}}
    sample = found(prepared(tmp_path, first, **asked))
    assert len(sample) == 20
    for user, items in sample.items():
        assert items == list(dict.fromkeys(did(first)[user]))


def test_a_split_of_its_own_is_whole_without_a_log(tmp_path: Path) -> None:
    parts = {"train": 20, "val": 24, "test": 28}
    rows, begins, files = drawn(range(28)), 0, {}
    for name, end in parts.items():
        some = [row for row in rows if begins <= row[2] < end * DAY]
        files[f"{name}_file"] = str(write_rows(tmp_path / f"{name}.csv", some))
        begins = end * DAY
    config = from_plain(DataConfig, {"dataset": "shop", "split": "given", **files})
    histories, all_rows = found(prepare(config, tmp_path / "data")), did(rows)
    assert histories
    assert histories == {user: all_rows[user] for user in histories}


def test_rows_that_nobody_kept_are_missed_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "plain.csv"
    path.write_text("user,item\n" + "".join(f"{u},{i}\n" for u, i, _ in drawn(range(28))))
    asked = {"dataset": "shop", "data_path": str(path), "split": "cold_items"}
    with pytest.raises(UserError, match=r"interactions are in nobody's history in \S+, by its spl"):
        whole_histories(prepare(from_plain(DataConfig, asked), tmp_path / "data"))
    data = prepared(tmp_path, drawn(range(28)), split="rolling")  # as of before there were logs
    files = {k: v for k, v in data.manifest["files"].items() if not k.startswith("log/")}
    with pytest.raises(UserError, match="keeps no log of them: prepare it again"):
        whole_histories(replace(data, manifest=data.manifest | {"files": files}))
