"""A folder of prepared data, damaged at random: one sentence each, or the same data."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from damage import check_damages

from recdistill.data import DataConfig, load_prepared, prepare
from recdistill.errors import UserError

from .test_readers import movielens

if TYPE_CHECKING:
    from pathlib import Path


def read(folder: Path) -> dict[str, Any]:
    """Everything that a stage takes from it."""
    found = load_prepared(folder)
    arrays = {
        f"{part} {name}": value
        for part in ("train", "val", "test")
        for name, value in vars(getattr(found, part)).items()
        if isinstance(value, np.ndarray)
    }
    histories = {part: getattr(found, part).history.items for part in ("val", "test")}
    return arrays | histories | {
        "split": found.split_digest,
        "users": list(found.users),
        "catalog": found.catalog.items.to_csv(),
    }  # fmt: skip


def test_damage_is_refused_or_has_no_effect(tmp_path: Path) -> None:
    config = DataConfig(dataset="x", data_path=str(movielens(tmp_path / "raw")))
    folder = prepare(config, tmp_path / "data").folder
    n = int(os.environ.get("RECDISTILL_DAMAGES", "60"))
    seed = int(os.environ.get("RECDISTILL_DAMAGES_FROM", "0"))
    refused = check_damages(folder, tmp_path / "copies", read, UserError, n, seed=seed)
    assert refused > n // 2
