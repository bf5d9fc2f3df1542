"""From a grown prepared folder back to those that it grew from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recdistill.data._store import load_prepared
from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recdistill.data._prepared import PreparedData


def ancestors(data: PreparedData) -> Iterator[PreparedData]:
    """Yield the folder itself, what it grew from, and so on, as far as the folders are there.

    Raises
    ------
    UserError
        When a folder was prepared anew since, so that it is no parent any more.
    """
    while True:
        yield data
        parent = data.manifest.get("parent")
        if parent is None or not (data.folder.parent / parent["folder"]).is_dir():
            return
        before = load_prepared(data.folder.parent / parent["folder"])
        if before.split_digest != parent["split_digest"]:
            raise UserError(
                f"{before.folder} was prepared anew after {data.folder} grew from it: prepare "
                f"{data.folder.name} again too."
            )
        data = before


def ancestor_of_split(data: PreparedData, split_digest: str) -> PreparedData | None:
    """Find the folder of this split among a folder and its ancestors."""
    return next((one for one in ancestors(data) if one.split_digest == split_digest), None)
