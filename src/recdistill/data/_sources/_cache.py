"""The download cache and checked files."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from recdistill.errors import UserError


def cache_folder() -> Path:
    """``RECDISTILL_CACHE``, or ``recdistill`` in the user's cache folder."""
    chosen = os.environ.get("RECDISTILL_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "recdistill"


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def data_roots() -> list[Path]:
    """Folders named by ``RECDISTILL_DATA``, in order."""
    listed = os.environ.get("RECDISTILL_DATA", "")
    return [Path(part) for part in listed.split(os.pathsep) if part]


def find_in_roots(dataset: str, relative: str) -> Path:
    """Return the first root's copy of a folder.

    Raises
    ------
    UserError
        Saying which folders were searched.
    """
    roots = data_roots()
    for root in roots:
        if (root / relative).is_dir():
            return root / relative
    where = ", ".join(map(str, roots)) if roots else "it is not set"
    raise UserError(
        f"{dataset} is read from a folder {relative} under RECDISTILL_DATA ({where}), and no such "
        "folder is there: set RECDISTILL_DATA to the folder that holds it, or use ml-100k, which "
        "needs no local files."
    )
