"""The whole way from a source to a prepared folder."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock

from recdistill.data import _manifest as file_format
from recdistill.data import _store
from recdistill.data._config import OF_SPLIT, DataConfig
from recdistill.data._days import day_name, days_of
from recdistill.data._extend import joined, load_parent, prepared_at, until
from recdistill.data._interactions import clean
from recdistill.data._leakage import leakage
from recdistill.data._log import read_log, write_log
from recdistill.data._prepared import PreparedData
from recdistill.data._sources import KNOWN, load
from recdistill.data._sources._objects import SourceFiles
from recdistill.data._splits import TEST, TRAIN, VAL, parts_of
from recdistill.data._splits import split as split_rows
from recdistill.data._strata import targets_by_stratum
from recdistill.errors import UserError

if TYPE_CHECKING:
    from recdistill.data._extend import Added
    from recdistill.data._interactions import Interactions
    from recdistill.data._raw import Finding, RawData
    from recdistill.data._splits import Split

_WHERE = ("data_path", "source", "train_file", "val_file", "test_file")


def prepared_folder(config: DataConfig, root: Path = Path("data")) -> Path:
    """``root/<dataset>``, or ``root/<dataset>-<split>-<key>`` when a setting changes the content.

    A data set known by name comes from one place, so another place is a variant of it. A name of
    the user's own stands for whatever files it was first prepared from.
    """
    chosen, default = asdict(config), asdict(DataConfig())
    changed = {k: v for k, v in chosen.items() if k != "dataset" and v != default[k]}
    if not config.max_users and config.split != "cold_items":
        changed.pop("seed", None)
    for group, rule in OF_SPLIT.items():
        if config.split != rule:
            changed.pop(group, None)
    if config.extends:
        changed["extends"] = Path(config.extends).name
    else:
        changed.pop("late_rows", None)
    if changed.get("temporal", {}).get("targets") == "first":
        del changed["temporal"]["targets"]
    if "columns" in changed and not changed["columns"]["text"]:
        del changed["columns"]["text"]
    if changed.get("source") in ("auto", KNOWN.get(config.dataset, ("path",))[0]):
        del changed["source"]
    if config.dataset not in KNOWN:
        changed = {k: v for k, v in changed.items() if k not in _WHERE}
        if "reading" in changed:
            changed["reading"].pop("items_file")
            if changed["reading"] == {k: default["reading"][k] for k in changed["reading"]}:
                del changed["reading"]
    if not changed:
        return Path(root) / config.dataset
    key = hashlib.sha256(json.dumps(changed, sort_keys=True).encode()).hexdigest()[:8]
    return Path(root) / f"{config.dataset}-{config.split}-{key}"


def prepare(
    config: DataConfig, root: Path = Path("data"), *, rebuild: bool = False
) -> PreparedData:
    """Read, clean and split a data set into its folder; return it at once when it is there.

    Safe to call from several processes: the first one works, the others wait and read. The folder
    appears whole or not at all.

    Parameters
    ----------
    rebuild : read the source again and replace the folder.

    Raises
    ------
    UserError
        For anything in the data or the settings that a stated rule refuses.
    """
    root = Path(root)
    folder = prepared_folder(config, root)
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The folder {root.absolute()} for prepared data cannot be made: {error.strerror}."
        ) from None
    scratch = root / f".{folder.name}.tmp-{os.getpid()}"
    files = SourceFiles(config, scratch.with_name(f"{scratch.name}-objects"))
    with FileLock(root / f".{folder.name}.lock"), files.named_as_by_the_user():
        for leftover in root.glob(f".{folder.name}.tmp-*"):
            shutil.rmtree(leftover)
        try:
            if not rebuild and _is_current(folder, files, root):
                return _store.load_prepared(folder)
            scratch.mkdir()
            _build(files, root, folder, scratch)
            if folder.exists():
                folder.rename(scratch.with_name(f"{scratch.name}-old"))
            scratch.rename(folder)
        finally:
            for leftover in root.glob(f".{folder.name}.tmp-*"):
                shutil.rmtree(leftover)
        return _store.load_prepared(folder)


def _is_current(folder: Path, files: SourceFiles, root: Path) -> bool:
    """Whether the folder holds what the settings ask for, the source files unchanged."""
    if not (folder / "manifest.json").is_file() or file_format.is_older(folder):
        return False
    manifest, config = file_format.read_manifest(folder), files.config
    if config.extends:
        parent = prepared_at(config.extends, root, "extends")
        if file_format.read_manifest(parent)["split_digest"] != manifest["parent"]["split_digest"]:
            raise UserError(
                f"{folder} extends what {parent} held before it was prepared anew: remove {folder} "
                "to extend what is there now."
            )
    if not (config.data_path or config.train_file) or files.are_those_of(manifest["origin"]):
        return True
    now = files.fingerprint()
    then = manifest["origin"].get("sha256")
    if now != then:
        changed = [
            role for role in now if not isinstance(then, dict) or then.get(role) != now[role]
        ]
        raise UserError(
            f"{folder} was prepared from other content than is there now ({', '.join(changed)} "
            f"differ): add what came since with extends={folder.name}, give this data another "
            "dataset name, or remove the folder to forget what it holds."
        )
    return True


def _build(files: SourceFiles, root: Path, folder: Path, scratch: Path) -> None:
    config = files.config
    raw = until(load(files.here), config)
    raw = replace(raw, origin=files.origin(raw.origin))
    parent = load_parent(config, root) if config.extends else None
    if parent is None:
        data, findings = clean(raw, config)
    else:
        raw, added = joined(read_log(parent.folder, parent.manifest), raw, config.late_rows)
        data, findings = clean(raw, config, parent.catalog)
    split = split_rows(data, config)
    train, val, test = parts_of(split.rows, len(split.users))
    report = leakage(split, has_timestamps=raw.has_timestamps)
    manifest = _manifest(config, raw, data, split, findings + split.findings)
    if parent is not None:
        manifest["parent"] = _ancestry(parent, data, added)
    n_items = data.catalog.n_items
    manifest["targets_by_count_in_training"] = {
        name: targets_by_stratum(train, cases.targets, n_items)
        for name, cases in (("val", val), ("test", test))
    }
    manifest["catalog_digest"] = data.catalog.digest
    manifest["split_digest"] = _store.split_digest(split.users, train, val, test)
    prepared = PreparedData(
        config.dataset, data.catalog, split.users, train, val, test, manifest, folder
    )
    documents = {"leakage.json": report, "manifest.json": manifest}
    write_log(scratch, raw)
    _store.write(scratch, split.rows, prepared, documents)


def _ancestry(parent: PreparedData, data: Interactions, added: Added) -> dict[str, Any]:
    """Say what a folder grew from, and by how much."""
    return {
        "folder": parent.folder.name,
        "catalog_digest": parent.catalog.digest,
        "split_digest": parent.split_digest,
        "n_items": parent.catalog.n_items,
        "n_new_items": data.catalog.n_items - parent.catalog.n_items,
        "n_new_users": int((~np.isin(data.users, parent.users)).sum()),
        "rows": asdict(added),
    }


def _manifest(
    config: DataConfig,
    raw: RawData,
    data: Interactions,
    split: Split,
    findings: list[Finding],
) -> dict[str, Any]:
    part = split.rows["part"].to_numpy()
    target = split.rows["target"].to_numpy()
    counts = {
        "n_read": len(raw.interactions),
        "n_users": len(split.users),
        "n_items": data.catalog.n_items,
        "n_interactions": len(split.rows),
        "n_train": int((part == TRAIN).sum()),
        "n_val_cases": int(((part == VAL) & target).sum()),
        "n_test_cases": int(((part == TEST) & target).sum()),
        "n_items_in_training": int((np.bincount(split.rows["item"][part == TRAIN]) > 0).sum()),
    }
    manifest: dict[str, Any] = {
        "format": file_format.FORMAT,
        "dataset": config.dataset,
        "split": config.split,
        "rule": split.rule,
        "order": raw.order_rule,
        "has_timestamps": raw.has_timestamps,
        "clock": raw.clock if raw.has_timestamps else "",
        "users": f"{config.max_users} sampled with seed {config.seed}"
        if 0 < config.max_users <= len(split.users)
        else "all",
        "seed": config.seed,
        "origin": raw.origin,
        "counts": counts,
        "dropped": {f.name: f.count for f in findings if f.action == "dropped"},
        "findings": [asdict(f) for f in findings],
        "config": asdict(config),
    }
    if raw.has_timestamps:
        days = days_of(data.rows["order"].to_numpy(), raw.clock)
        manifest["days"] = [day_name(int(days.min())), day_name(int(days.max()))]
    if data.share_tied is not None:
        manifest["share_of_rows_with_tied_timestamp"] = data.share_tied
    return manifest
