"""The prepared folder: CSV for people, arrays for speed, digests that bind them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv, feather

from recdistill.data._catalog import Catalog
from recdistill.data._manifest import read_manifest
from recdistill.data._prepared import Cases, PreparedData
from recdistill.data._sequences import Sequences
from recdistill.data._sources._cache import sha256_of
from recdistill.data._splits import TEST, TRAIN, VAL
from recdistill.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROWS_AT_ONCE = 2**19
PARTS = {"train": TRAIN, "val": VAL, "test": TEST}
_USERS = "users.arrow"
_ARRAYS = {
    "train_items": "<i4", "train_offsets": "<i8",
    "val_users": "<i8", "val_targets": "<i4", "val_items": "<i4", "val_offsets": "<i8",
    "test_users": "<i8", "test_targets": "<i4", "test_items": "<i4", "test_offsets": "<i8",
}  # fmt: skip
"""Arrays of the folder ``arrays``, one ``.npy`` file each, read by mapping them into memory."""
_DOCUMENT = "leakage.json"


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
    users = pa.array(prepared.users, pa.large_string())
    items = pa.array(raw_items, pa.large_string())
    for name, code in PARTS.items():
        _write_part(rows, np.flatnonzero(part == code), users, items, folder / f"{name}.csv")
    _write_csv(prepared.catalog.items.reset_index(), folder / "catalog.csv")
    (folder / "arrays").mkdir()
    for name, dtype in _ARRAYS.items():
        np.save(folder / _file_of(name), _array(prepared, name).astype(dtype, copy=False))
    names = pa.table({"user": pa.array(prepared.users, pa.large_string())})
    feather.write_feather(names, folder / _USERS, compression="uncompressed")
    for name, content in documents.items():
        if name != "manifest.json":
            _write_json(content, folder / name)
    files = [str(p.relative_to(folder)) for p in sorted(folder.rglob("*")) if p.is_file()]
    manifest = documents["manifest.json"]
    manifest["files"] = {name: sha256_of(folder / name) for name in files}
    _write_json(manifest, folder / "manifest.json")


def _write_part(
    rows: pd.DataFrame, at: NDArray[np.int64], users: pa.Array, items: pa.Array, path: Path
) -> None:
    """Write rows with their raw ids, a piece at a time: as text they are many times as large."""
    columns = {key: rows[key].to_numpy() for key in ("order", "rating") if key in rows}
    if not path.name.startswith("train"):
        columns["target"] = rows["target"].to_numpy().astype(np.int8)
    user, item = rows["user"].to_numpy(), rows["item"].to_numpy()
    kinds = {key: pa.from_numpy_dtype(values.dtype) for key, values in columns.items()}
    schema = pa.schema({"user": users.type, "item": items.type} | kinds)
    with csv.CSVWriter(path, schema) as writer:
        for start in range(0, len(at), _ROWS_AT_ONCE):
            some = at[start : start + _ROWS_AT_ONCE]
            names = [users.take(pa.array(user[some])), items.take(pa.array(item[some] - 1))]
            numbers = [pa.array(values[some]) for values in columns.values()]
            writer.write_batch(pa.record_batch([*names, *numbers], schema=schema))


def _write_json(content: dict[str, Any], path: Path) -> None:
    text = json.dumps(content, indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _file_of(array: str) -> str:
    return f"arrays/{array}.npy"


def _array(prepared: PreparedData, name: str) -> NDArray[Any]:
    part, _, what = name.partition("_")
    if part == "train":
        return prepared.train.items if what == "items" else prepared.train.offsets
    cases: Cases = getattr(prepared, part)
    if what in ("users", "targets"):
        return cases.users if what == "users" else cases.targets
    return cases.history.items if what == "items" else cases.history.offsets


def _mapped(path: Path, dtype: str) -> NDArray[Any]:
    """Map an array's file into memory: pages are read when they are touched, writes never land."""
    stored = np.load(path, mmap_mode="c", allow_pickle=False)
    if stored.dtype != np.dtype(dtype) or stored.ndim != 1:
        raise ValueError
    return np.asarray(stored)


def load_prepared(folder: Path) -> PreparedData:
    """Read a prepared folder back.

    Raises
    ------
    UserError
        When a file is missing or is not the one ``prepare_data`` wrote.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    needed = [f"{part}.csv" for part in PARTS] + ["catalog.csv", _DOCUMENT, _USERS]
    for name in [*needed, *map(_file_of, _ARRAYS)]:
        path = folder / name
        if not path.is_file():
            raise UserError(f"{folder} lacks {name}: remove the folder and run prepare_data again.")
        if sha256_of(path) != manifest["files"].get(name):
            raise UserError(
                f"{path} was changed after prepare_data wrote it, so its numbers would no longer "
                "compare: remove the folder and run prepare_data again, or hand in your own files "
                "with split=given."
            )
    a = {name: _mapped(folder / _file_of(name), dtype) for name, dtype in _ARRAYS.items()}
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
    parent = manifest.get("parent", {})
    catalog = Catalog(items, parent.get("catalog_digest", ""), parent.get("n_items", 0))
    users = feather.read_table(folder / _USERS)["user"].to_pandas().to_numpy(object)
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
