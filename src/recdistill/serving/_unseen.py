"""Whether the champion can have learned what a challenge asks it about."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from recdistill.data import ancestor_of_split, load_prepared
from recdistill.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from recdistill.data import PreparedData
    from recdistill.serving._registry import Version


def require_unseen(champion: Version, data: PreparedData) -> str:
    """Refuse a challenge on test targets that the champion was trained on.

    A champion of these data, or of a folder that these grew from, has met none of them. One of data
    that were prepared from the beginning by the same rule cannot be told: mostly it has not, since
    the newest interactions are tested.

    Returns
    -------
    What is not known, in words; nothing where all is.

    Raises
    ------
    UserError
        When the champion was trained by another split, or on later days of the same data.
    """
    digest, split = (champion.tags.get(name, "") for name in ("split.digest", "split"))
    if not digest or ancestor_of_split(data, digest):
        return ""
    number, own = champion.number, str(data.manifest.get("split", ""))
    if split and own and split != own:
        raise UserError(
            f"version {number} was trained with split={split} and would be tested with "
            f"split={own}, by which some of the test targets may be what it learned: prepare the "
            f"data with split={split}, or train a champion with split={own}"
        )
    later = _folder_of(digest, data.folder.parent)
    if later and ancestor_of_split(load_prepared(later), data.split_digest):
        raise UserError(
            f"version {number} was trained on later days of these data ({later.name}), the test "
            f"targets here among them: challenge it there (prepared={later.name})"
        )
    return (
        f"Version {number} was trained on data prepared from the beginning, so whether it met any "
        "of these test targets is not known."
    )


def _folder_of(digest: str, folders: Path) -> Path | None:
    for path in sorted(folders.glob("*/manifest.json")):
        try:
            found = json.loads(path.read_text(encoding="utf-8")).get("split_digest")
        except (OSError, ValueError):  # being written, or none of ours
            continue
        if found == digest:
            return path.parent
    return None
