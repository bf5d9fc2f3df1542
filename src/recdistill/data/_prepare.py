"""The whole way from a source to a prepared folder."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from recdistill.data import _store
from recdistill.data._config import DataConfig
from recdistill.data._interactions import clean
from recdistill.data._prepared import PreparedData
from recdistill.data._sources._roots import load_ml_1m_sasrec
from recdistill.data._sources._wheel import load_ml_100k
from recdistill.data._splits import leave_one_out, parts_of
from recdistill.errors import UserError

if TYPE_CHECKING:
    from recdistill.data._raw import Finding, RawData
    from recdistill.data._splits import Split


def _variant(config: DataConfig) -> dict[str, Any]:
    """The settings that make this folder differ from the data set's default one."""
    chosen = asdict(config)
    default = asdict(DataConfig())
    changed = {k: v for k, v in chosen.items() if v != default[k] and k != "dataset"}
    if not config.max_users:
        changed.pop("seed", None)
    if config.split != "global_temporal":
        changed.pop("temporal", None)
    return changed


def prepared_folder(config: DataConfig, root: Path) -> Path:
    """``root/<dataset>``, or ``root/<dataset>-<split>-<key>`` for anything but the defaults."""
    variant = _variant(config)
    if not variant:
        return root / config.dataset
    key = hashlib.sha256(json.dumps(variant, sort_keys=True).encode()).hexdigest()[:8]
    return root / f"{config.dataset}-{config.split}-{key}"


def _load(config: DataConfig) -> RawData:
    if config.dataset == "ml-100k":
        return load_ml_100k(config)
    if config.dataset == "ml-1m-sasrec":
        return load_ml_1m_sasrec(config)
    raise UserError(f"{config.dataset} is not a known data set.")


def prepare(
    config: DataConfig, root: Path = Path("data"), *, rebuild: bool = False
) -> PreparedData:
    """Read, clean and split a data set into its folder; return it at once when it is there."""
    root = Path(root)
    folder = prepared_folder(config, root)
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / f".{folder.name}.lock"):
        if not rebuild and (folder / "manifest.json").is_file():
            return _store.load_prepared(folder)
        raw = _load(config)
        data, findings = clean(raw, config)
        split = leave_one_out(data)
        train, val, test = parts_of(split.rows, len(data.users))
        manifest = _manifest(config, raw, split, findings)
        manifest["catalog_digest"] = data.catalog.digest
        manifest["split_digest"] = _store.split_digest(data.users, train, val, test)
        prepared = PreparedData(
            config.dataset, data.catalog, data.users, train, val, test, manifest, folder
        )
        scratch = root / f".{folder.name}.tmp-{os.getpid()}"
        scratch.mkdir()
        _store.write(scratch, split.rows, prepared, {"manifest.json": manifest})
        if folder.exists():
            shutil.rmtree(folder)
        scratch.rename(folder)
        return _store.load_prepared(folder)


def _manifest(
    config: DataConfig, raw: RawData, split: Split, findings: list[Finding]
) -> dict[str, Any]:
    return {
        "format": _store.FORMAT,
        "dataset": config.dataset,
        "split": config.split,
        "rule": split.rule,
        "order": raw.order_rule,
        "origin": raw.origin,
        "findings": [asdict(f) for f in findings],
    }
