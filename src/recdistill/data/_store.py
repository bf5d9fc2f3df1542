"""The prepared folder: CSV for people, one binary twin for speed, digests that bind them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv

from recdistill.data._catalog import Catalog
from recdistill.data._prepared import Cases, PreparedData
from recdistill.data._sequences import Sequences
from recdistill.data._sources._cache import sha256_of
from recdistill.data._splits import TEST, TRAIN, VAL
from recdistill.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 1
PARTS = {"train": TRAIN, "val": VAL, "test": TEST}
_ARRAYS = "arrays.npz"


def split_digest(users: NDArray[np.object_], train: Sequences, val: Cases, test: Cases) -> str:
    """First 32 hex digits of a sha256 over the users and the three parts."""
    sha = hashlib.sha256()
    sha.update("\x1e".join(users).encode())
    for sequences in (train, val.history, test.history):
        sha.update(sequences.offsets.astype("<i8").tobytes())
        sha.update(sequences.items.astype("<i4").tobytes())
    for cases in (val, test):
        sha.update(cases.users.astype("<i8").tobytes())
        sha.update(cases.targets.astype("<i4").tobytes())
    return sha.hexdigest()[:32]


def _write_csv(frame: pd.DataFrame, path: Path) -> None:
    csv.write_csv(pa.Table.from_pandas(frame, preserve_index=False), path)


def write(
    folder: Path,
    rows: pd.DataFrame,
    prepared: PreparedData,
    documents: dict[str, dict[str, Any]],
) -> None:
    """Write a folder's files; ``documents`` are JSON files by name, the manifest among them."""
    raw_items = prepared.catalog.items["raw_id"].to_numpy(object)
    part = rows["part"].to_numpy()
    for name, code in PARTS.items():
        some = rows[part == code]
        columns = {
            "user": pa.array(prepared.users).take(pa.array(some["user"])),
            "item": pa.array(raw_items).take(pa.array(some["item"] - 1)),
            "order": some["order"].to_numpy(),
        }
        if "rating" in some:
            columns["rating"] = some["rating"].to_numpy()
        if code != TRAIN:
            columns["target"] = some["target"].to_numpy(np.int8)
        csv.write_csv(pa.table(columns), folder / f"{name}.csv")
    _write_csv(prepared.catalog.items.reset_index(), folder / "catalog.csv")
    arrays: dict[str, NDArray[Any]] = {
        "train_items": prepared.train.items,
        "train_offsets": prepared.train.offsets,
    }
    for name, cases in (("val", prepared.val), ("test", prepared.test)):
        arrays[f"{name}_users"] = cases.users
        arrays[f"{name}_targets"] = cases.targets
        arrays[f"{name}_items"] = cases.history.items
        arrays[f"{name}_offsets"] = cases.history.offsets
    np.savez(folder / _ARRAYS, users=prepared.users.astype(str), **arrays)  # type: ignore[arg-type]
    files = [f"{name}.csv" for name in PARTS] + ["catalog.csv", _ARRAYS]
    documents["manifest.json"]["files"] = {name: sha256_of(folder / name) for name in files}
    for name, content in documents.items():
        text = json.dumps(content, indent=2, ensure_ascii=False)
        (folder / name).write_text(text + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read ``manifest.json``.

    Raises
    ------
    UserError
        When the folder holds none, or one of another format version.
    """
    path = folder / "manifest.json"
    if not path.is_file():
        raise UserError(
            f"{folder} holds no prepared data (manifest.json is missing): run "
            "`mlflow run . -e prepare_data` for this data set first."
        )
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if manifest.get("format") != FORMAT:
        raise UserError(
            f"{folder} was written in format {manifest.get('format')}, this version reads format "
            f"{FORMAT}: remove the folder and run prepare_data again."
        )
    return manifest


def load_prepared(folder: Path) -> PreparedData:
    """Read a prepared folder back.

    Raises
    ------
    UserError
        When a file is missing or is not the one ``prepare_data`` wrote.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    for name, digest in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            raise UserError(f"{folder} lacks {name}: remove the folder and run prepare_data again.")
        if sha256_of(path) != digest:
            raise UserError(
                f"{path} was changed after prepare_data wrote it, so its numbers would no longer "
                "compare: remove the folder and run prepare_data again, or hand in your own files "
                "with split=given."
            )
    with np.load(folder / _ARRAYS, allow_pickle=False) as stored:
        a = {name: stored[name] for name in stored.files}
    items = pd.read_csv(folder / "catalog.csv", dtype=str, keep_default_na=False)
    items = items.drop(columns="item")
    items.index = pd.RangeIndex(1, len(items) + 1, name="item")
    cases = {
        name: Cases(
            a[f"{name}_users"],
            Sequences(a[f"{name}_items"], a[f"{name}_offsets"]),
            a[f"{name}_targets"],
        )
        for name in ("val", "test")
    }
    train = Sequences(a["train_items"], a["train_offsets"])
    catalog = Catalog(items)
    users = a["users"].astype(object)
    catalog.require(manifest["catalog_digest"], f"{folder}/manifest.json")
    if split_digest(users, train, cases["val"], cases["test"]) != manifest["split_digest"]:
        raise UserError(
            f"{folder} does not hold the split its manifest names: remove it and run prepare_data "
            "again."
        )
    return PreparedData(
        dataset=manifest["dataset"],
        catalog=catalog,
        users=users,
        train=train,
        val=cases["val"],
        test=cases["test"],
        manifest=manifest,
        folder=folder,
    )
