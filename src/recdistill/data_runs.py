"""A prepared folder: named as people name runs, copied to an object store and back."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from recdistill import object_store
from recdistill.data import load_prepared
from recdistill.errors import UserError
from recdistill.object_store import Address, is_address

if TYPE_CHECKING:
    from recdistill.runs import RunFinder

ROOT = Path("data")
_MANIFEST = "manifest.json"


def folder_of(reference: str, finder: RunFinder) -> str:
    """Return the path of a prepared folder; "" for "".

    Parameters
    ----------
    reference : a folder's path, its name under ``data/``, its address ``s3://bucket/folder``, or a
        run of prepare_data: its id, its name, or ``latest``.
    finder : finds the run.

    Raises
    ------
    UserError
        When there is no such folder or run, or the folder is no longer what the run wrote.
    """
    if not reference:
        return ""
    if is_address(reference):
        return str(_fetched(Address.parse(reference, "prepared")))
    for folder in (Path(reference).expanduser(), ROOT / reference):
        if (folder / _MANIFEST).is_file():
            return str(folder)
    run = finder.find(reference, "prepare_data")
    folder = ROOT / run.tags.get("data.folder", run.name)
    if load_prepared(folder).split_digest != run.tags.get("split.digest"):
        raise UserError(
            f"{folder} is no longer what run '{run.name}' wrote: prepare that data again, or name "
            "another run or folder."
        )
    return str(folder)


def copy_to(folder: Path, address: Address) -> bool:
    """Copy a prepared folder into an object store; return False where it lies there already.

    The manifest comes last, so a copy that was stopped is none yet and is made again.

    Raises
    ------
    UserError
        When another prepared folder lies there: whoever goes on from it would find other numbers.
    """
    manifest = (folder / _MANIFEST).read_bytes()
    if object_store.version(address / _MANIFEST) is not None:
        if _digests(object_store.read(address / _MANIFEST)) == _digests(manifest):
            return False
        raise UserError(
            f"{address} holds another prepared folder than {folder}: give this one an address of "
            "its own."
        )
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in sorted(files, key=lambda path: path == folder / _MANIFEST):
        object_store.upload(path, address / path.relative_to(folder).as_posix())
    return True


def _fetched(address: Address) -> Path:
    """Return a copy under ``data/`` of a prepared folder in a store, made where it is not there."""
    if object_store.version(address / _MANIFEST) is None:
        raise UserError(
            f"{address} holds no prepared folder: give the address that copy_to of prepare_data "
            "had."
        )
    folder = ROOT / address.name
    if (folder / _MANIFEST).is_file():
        there = object_store.read(address / _MANIFEST)
        if _digests((folder / _MANIFEST).read_bytes()) == _digests(there):
            return folder
        raise UserError(
            f"{folder} holds other data than {address}: remove it, or give the copy in the "
            "store another name."
        )
    ROOT.mkdir(parents=True, exist_ok=True)
    # Whole or not at all: a copy that is stopped leaves a hidden folder, which is no data set.
    with tempfile.TemporaryDirectory(dir=ROOT, prefix=".fetched-") as beside:
        copy = object_store.local_copy(str(address), Path(beside), "prepared")
        load_prepared(copy)  # its checksums
        with suppress(OSError):  # another process was quicker
            copy.replace(folder)
    return folder


def _digests(manifest: bytes) -> tuple[str, str]:
    """Return what says which data they are: the items with their words, and who took what when."""
    said = json.loads(manifest)
    return str(said["catalog_digest"]), str(said["split_digest"])
