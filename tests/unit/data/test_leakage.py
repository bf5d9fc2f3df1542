"""The leakage report's counts, checked against the rows by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill.data import DataConfig, read_leakage
from recdistill.data._interactions import clean
from recdistill.data._leakage import leakage
from recdistill.data._raw import RawData
from recdistill.data._split_config import Temporal
from recdistill.data._splits import TEST, TRAIN, VAL, split
from recdistill.errors import UserError

from .conftest import ROWS, write_rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from recdistill.data import PreparedData


def test_leave_one_out_counts(shop: Callable[..., PreparedData]) -> None:
    data = shop()
    # Train: ann a10 c20, bob a5, cleo b35 a45. Val: ann b30, bob d15. Test: ann d40, bob c25.
    report = read_leakage(data.folder)
    test, val = report["test"], report["val"]
    assert val["n_targets_before_some_training"] == 2
    assert val["mean_share_of_training_later_than_target"] == (2 / 5 + 3 / 5) / 2
    assert val["n_targets_never_in_training"] == 1  # d
    assert val["n_targets_first_trained_later"] == 1  # b30, first trained at 35
    assert test["n_targets_never_in_training"] == 1  # d
    assert test["n_targets_first_trained_later"] == 0
    assert test["mean_share_of_training_later_than_target"] == (1 / 5 + 2 / 5) / 2
    assert test["n_targets_in_own_history"] == test["n_targets_tied_with_history"] == 0


def test_temporal_split_leaks_no_future(shop: Callable[..., PreparedData]) -> None:
    report = read_leakage(shop(split="global_temporal", temporal=Temporal(0.2, 0.2)).folder)
    for part in ("val", "test"):
        assert report[part]["n_targets_before_some_training"] == 0
        assert report[part]["n_targets_first_trained_later"] == 0


def test_ties_and_repeats_are_told(folder: Path, shop: Callable[..., PreparedData]) -> None:
    write_rows(folder / "interactions.csv", [*ROWS, ("ann", "a", 40)])
    report = read_leakage(shop().folder)
    assert report["test"]["n_targets_in_own_history"] == 1
    assert report["test"]["n_targets_tied_with_history"] == 1
    assert any("decided by the order of the file" in s for s in report["sentences"])


def test_given_split_out_of_time_is_told(folder: Path, shop: Callable[..., PreparedData]) -> None:
    write_rows(folder / "train.csv", [("ann", "a", 1), ("ann", "b", 9), ("bob", "c", 3)])
    write_rows(folder / "val.csv", [("ann", "c", 4)])
    write_rows(folder / "test.csv", [("bob", "a", 5)])
    files = {f"{part}_file": str(folder / f"{part}.csv") for part in ("train", "val", "test")}
    report = read_leakage(shop(split="given", data_path="", **files).folder)
    assert report["val"]["n_targets_before_own_training"] == 1
    assert report["test"]["n_targets_before_own_training"] == 0


def test_without_timestamps_the_report_says_what_cannot_be_told(
    folder: Path, shop: Callable[..., PreparedData]
) -> None:
    lines = [f"{user},{item}" for user, item, _ in ROWS]
    (folder / "interactions.csv").write_text("\n".join(["user,item", *lines]) + "\n")
    report = read_leakage(shop().folder)
    assert "n_targets_before_some_training" not in report["test"]
    assert any("no timestamps" in sentence for sentence in report["sentences"])


ROWS_DRAWN = st.lists(
    st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(0, 9)), min_size=12, max_size=40
)


@settings(max_examples=60, deadline=None)
@given(ROWS_DRAWN, st.sampled_from(["leave_one_out", "first", "last", "all"]))
def test_counts_are_those_of_the_slow_way(rows: list[tuple[int, int, int]], rule: str) -> None:
    frame = pd.DataFrame(rows, columns=["user", "item", "order"]).assign(line=1)
    config = DataConfig(dataset="x", data_path="x")
    if rule != "leave_one_out":
        windows = Temporal(0.25, 0.25, rule)  # type: ignore[arg-type]
        config = replace(config, split="global_temporal", temporal=windows)
    try:
        data, _ = clean(RawData(frame, None, True, "timestamp", {}), config)
        cut = split(data, config)
    except UserError:
        return
    report = leakage(cut, has_timestamps=True)
    placed = list(cut.rows[["user", "item", "order", "part", "target"]].itertuples(index=False))
    train = [row for row in placed if row.part == TRAIN]
    for name, code in (("val", VAL), ("test", TEST)):
        told = dict.fromkeys(
            ("never_in_training", "in_own_history", "before_some_training", "first_trained_later",
             "before_own_training", "tied_with_history"), 0
        )  # fmt: skip
        for at, case in enumerate(placed):
            if case.part != code or not case.target:
                continue
            of_item = [row.order for row in train if row.item == case.item]
            mine = [row for row in placed[:at] if row.user == case.user]
            told["never_in_training"] += not of_item
            told["in_own_history"] += any(row.item == case.item for row in mine)
            told["before_some_training"] += any(row.order > case.order for row in train)
            told["first_trained_later"] += bool(of_item) and min(of_item) > case.order
            own = [row for row in train if row.user == case.user]
            told["before_own_training"] += any(row.order > case.order for row in own)
            told["tied_with_history"] += bool(mine) and mine[-1].order == case.order
        assert {k: report[name][f"n_targets_{k}"] for k in told} == told
