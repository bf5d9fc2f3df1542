"""Timestamps stay exact and in one measure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.data import Columns, DataConfig, prepare
from recdistill.data._readers._clock import clock
from recdistill.errors import UserError

from .conftest import ROWS

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_700_000_000_000_000_001  # nanoseconds since 1970: a float64 keeps 256 of them apart


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=9), st.booleans())
def test_whole_numbers_are_exact_beside_a_bad_row(times: list[int], with_bad: bool) -> None:
    text = [*(f"{t}.0" if t % 2 else str(t) for t in times), *(["soon"] if with_bad else [])]
    order, wrong, kind = clock(pd.Series(text, dtype="str"), "")
    assert (order.dtype, kind) == (np.int64, "number")
    assert order[: len(times)].tolist() == times
    assert wrong.tolist() == [False] * len(times) + [True] * with_bad


def test_dates_count_seconds_or_their_own_unit() -> None:
    whole = pd.Series(pd.to_datetime(["1970-01-02", None]))
    order, wrong, unit = clock(whole, "")
    assert (order.tolist(), wrong.tolist(), unit) == ([86_400, 0], [False, True], "s")
    fine = pd.Series(np.array([NOW, NOW + 1], "datetime64[ns]"))
    order, _, unit = clock(fine, "")
    assert (order.tolist(), unit) == ([NOW, NOW + 1], "ns")


@pytest.mark.parametrize("as_dates", [False, True])
def test_nanoseconds_decide_the_target(as_dates: bool, folder: Path, tmp_path: Path) -> None:
    (folder / "interactions.csv").unlink()
    frame = pd.DataFrame(ROWS, columns=["user", "item", "timestamp"])
    frame["timestamp"] = NOW + 100 - frame["timestamp"]  # newest first in the file
    if as_dates:
        frame["timestamp"] = frame["timestamp"].to_numpy("datetime64[ns]")
    frame.to_parquet(folder / "interactions.parquet")
    data = prepare(DataConfig(dataset="shop", data_path=str(folder)), tmp_path / "data")
    assert data.catalog.items["raw_id"][data.test.targets].tolist() == ["a", "a"]


def test_given_files_are_brought_to_one_unit(folder: Path, tmp_path: Path) -> None:
    parts = {
        "train": ("a", "1970-01-01 00:00:01"),
        "val": ("b", "1970-01-01 00:00:02.5"),
        "test": ("c", "1970-01-01 00:00:03.000000001"),
    }
    settings = {"dataset": "shop", "split": "given"}
    for part, (item, when) in parts.items():
        frame = pd.DataFrame({"user": ["ann"], "item": [item], "timestamp": [when]})
        frame["timestamp"] = pd.to_datetime(frame["timestamp"])
        frame.to_parquet(folder / f"{part}.parquet")
        settings[f"{part}_file"] = str(folder / f"{part}.parquet")
    data = prepare(DataConfig(**settings), tmp_path / "data")  # type: ignore[arg-type]
    written = pd.concat([pd.read_csv(data.folder / f"{part}.csv") for part in parts])
    assert written["order"].tolist() == [10**9, 25 * 10**8, 3 * 10**9 + 1]
    pd.DataFrame({"user": ["ann"], "item": ["b"], "timestamp": [2]}).to_parquet(
        folder / "val.parquet"
    )
    with pytest.raises(UserError, match="val_file gives timestamps as numbers"):
        prepare(DataConfig(**settings), tmp_path / "other")  # type: ignore[arg-type]


@pytest.mark.parametrize("header", ["Timestamp", "time_stamp", "date", "unixReviewTime"])
def test_the_order_is_never_guessed(header: str, folder: Path, tmp_path: Path) -> None:
    path = folder / "interactions.csv"
    path.write_text(path.read_text().replace("timestamp", header))
    config = DataConfig(dataset="shop", data_path=str(folder))
    with pytest.raises(UserError, match=f"set columns.timestamp={header} to order by it"):
        prepare(config, tmp_path / "data")
    named = DataConfig(dataset="shop", data_path=str(folder), columns=Columns(timestamp=header))
    assert prepare(named, tmp_path / "data").manifest["has_timestamps"]
    of_the_file = DataConfig(dataset="shop", data_path=str(folder), columns=Columns(timestamp=""))
    assert not prepare(of_the_file, tmp_path / "data").manifest["has_timestamps"]
