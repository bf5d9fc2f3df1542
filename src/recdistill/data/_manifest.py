"""``manifest.json``: what a prepared folder says of itself, checked before it is believed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from recdistill.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 3
_KEYS = {
    "dataset": str, "split": str, "rule": str, "order": str, "origin": dict, "counts": dict,
    "dropped": dict, "findings": list, "catalog_digest": str, "split_digest": str, "files": dict,
    "targets_by_count_in_training": dict,
}  # fmt: skip


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read ``manifest.json``.

    Raises
    ------
    UserError
        When the folder holds none, a damaged one, or one of another format version.
    """
    path = folder / "manifest.json"
    if not path.is_file():
        raise UserError(
            f"{folder} holds no prepared data (manifest.json is missing): run "
            "`mlflow run . -e prepare_data` for this data set first."
        )
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        manifest = None
    if not isinstance(manifest, dict):
        raise _damaged(path)
    if manifest.get("format") != FORMAT:
        raise UserError(
            f"{folder} was written in format {manifest.get('format')}, this version reads format "
            f"{FORMAT}: remove the folder and run prepare_data again."
        )
    if any(not isinstance(manifest.get(key), kind) for key, kind in _KEYS.items()):
        raise _damaged(path)
    return manifest


def is_older(folder: Path) -> bool:
    """Whether another version's format is in the folder; a damaged manifest is not that."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and manifest.get("format", FORMAT) != FORMAT


def _damaged(path: Path) -> UserError:
    return UserError(
        f"{path} is damaged: remove the folder {path.parent} and run prepare_data again."
    )
