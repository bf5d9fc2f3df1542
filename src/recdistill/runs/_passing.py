"""Files that are needed for as long as a run, or a process, works: they go with it."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import mlflow

from recdistill.runs._temporary import signed_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

_folders: list[Path] = []


def fetch_artifact(uri: str) -> Path:
    """Return where an artifact lies on this machine: the file itself, or a copy that passes.

    Raises
    ------
    MlflowException, OSError
        When it cannot be had.
    """
    here = urlsplit(uri).scheme in ("", "file")
    kept = None if here else str(passing_folder())
    return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=kept))


def passing_folder() -> Path:
    """Return a new empty folder in the innermost run's scratch folder.

    Outside of a run, as in a notebook, it goes when the process ends, or with the next stage when
    that was killed.
    """
    within = _folders[-1] if _folders else signed_folder()
    return Path(tempfile.mkdtemp(dir=within))


@contextmanager
def passing_files_in(folder: Path) -> Iterator[None]:
    """Let files that are fetched within the block go with ``folder``."""
    kept = folder / "fetched"
    kept.mkdir(exist_ok=True)
    _folders.append(kept)
    try:
        yield
    finally:
        _folders.remove(kept)
