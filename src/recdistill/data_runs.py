"""A prepared folder named the way people name runs: a run of prepare_data, or the folder itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from recdistill.data import load_prepared
from recdistill.errors import UserError

if TYPE_CHECKING:
    from recdistill.runs import RunFinder

ROOT = Path("data")


def folder_of(reference: str, finder: RunFinder) -> str:
    """Return the path of a prepared folder; "" for "".

    Parameters
    ----------
    reference : a folder's path, its name under ``data/``, or a run of prepare_data: its id, its
        name, or ``latest``.
    finder : finds the run.

    Raises
    ------
    UserError
        When there is no such folder or run, or the folder is no longer what the run wrote.
    """
    if not reference:
        return ""
    for folder in (Path(reference).expanduser(), ROOT / reference):
        if (folder / "manifest.json").is_file():
            return str(folder)
    run = finder.find(reference, "prepare_data")
    folder = ROOT / run.tags.get("data.folder", run.name)
    if load_prepared(folder).split_digest != run.tags.get("split.digest"):
        raise UserError(
            f"{folder} is no longer what run '{run.name}' wrote: prepare that data again, or name "
            "another run or folder."
        )
    return str(folder)
