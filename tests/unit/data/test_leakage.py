"""The leakage report's counts, checked against the rows by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recdistill.data import Temporal, read_leakage

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
