"""Impossible settings are refused before anything is read."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from recdistill.data import (
    Cleaning,
    Columns,
    DataConfig,
    Reading,
)
from recdistill.data._split_config import Temporal
from recdistill.errors import UserError


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: DataConfig(dataset="../up"), "names a folder"),
        (lambda: DataConfig(dataset=""), "names a folder"),
        (lambda: DataConfig(split="random"), "split is 'random'; it must be one of"),  # type: ignore[arg-type]
        (lambda: DataConfig(source="ftp"), "source is 'ftp'"),  # type: ignore[arg-type]
        (lambda: DataConfig(source="path"), "source=path needs data_path"),
        (lambda: DataConfig(max_users=-1), "max_users is -1"),
        (lambda: DataConfig(min_interactions=-2), "min_interactions is -2"),
        (lambda: DataConfig(seed=-1), "seed is -1"),
        (lambda: DataConfig(train_file="a.csv"), "add split=given"),
        (
            lambda: DataConfig(split="given", train_file="a.csv"),
            "val_file and test_file are missing",
        ),
        (lambda: DataConfig(split="given", min_interactions=5), "cannot be combined"),
        (lambda: Temporal(0.5, 0.5), "must stay below 1"),
        (lambda: Temporal(0.0, 0.5), "between 0 and 1"),
        (lambda: Reading(encoding="utf-99"), "by which Python can read no text"),
        (lambda: Reading(encoding="undefined"), "by which Python can read no text"),
        (lambda: Reading(encoding="a\0b"), "by which Python can read no text"),
        (lambda: Reading(separator=";;"), "single ASCII character"),
        (lambda: Reading(separator="é"), "single ASCII character"),
        (lambda: Reading(separator='"'), "neither a quote nor a line end"),
        (lambda: Reading(timestamp_format="%Q"), "by which no date can be read"),
        (lambda: Reading(timestamp_format="%Y %Y"), "by which no date can be read"),
        (lambda: DataConfig(dataset="a" * 300), "dataset has 300 characters"),
        (lambda: Columns(user="who", item="who"), "columns.item and columns.user are both 'who'"),
        (lambda: Columns(title="item"), "columns.title and columns.item_id are both 'item'"),
        (lambda: Reading(format="xls"), "reading.format is 'xls'"),  # type: ignore[arg-type]
        (lambda: Cleaning(malformed="guess"), "cleaning.malformed"),  # type: ignore[arg-type]
        (lambda: Columns(user=""), "columns.user is empty"),
    ],
)
def test_impossible_values_are_refused(make, said: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError) as refused:
        make()
    assert said in str(refused.value)


def test_data_settings_are_picked_out_of_a_stages_own() -> None:
    @dataclass
    class Stage:
        dataset: str = "mine"
        max_users: int = 7
        learning_rate: float = 0.1

    assert DataConfig.of(Stage()) == DataConfig(dataset="mine", max_users=7)
