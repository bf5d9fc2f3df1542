"""The log of a prepared folder: its rows as read, before any rule left some out.

A folder can be extended from it alone: a user with one interaction, dropped today, may have two
tomorrow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import feather

from recdistill.checksums import file_sha256
from recdistill.data._raw import RawData
from recdistill.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    import pandas as pd

ROWS = "log/interactions.arrow"
_ITEMS = "log/items.arrow"
FILES = (ROWS, _ITEMS)


def is_kept(raw: RawData) -> bool:
    """Whether the rows have a clock that later rows go on with, and no split of their own."""
    return raw.has_timestamps and "part" not in raw.interactions


def write_log(folder: Path, raw: RawData) -> None:
    """Keep the rows that were read, where they can be extended; nothing otherwise."""
    if not is_kept(raw):
        return
    (folder / "log").mkdir()
    rows = raw.interactions.drop(columns="line", errors="ignore")
    _write(rows, folder / ROWS)
    if raw.items is not None:
        _write(raw.items.drop(columns="line", errors="ignore"), folder / _ITEMS)


def read_log(folder: Path, manifest: dict[str, Any]) -> RawData:
    """Read back what ``write_log`` wrote.

    Raises
    ------
    UserError
        When the folder keeps no log, or one that is not as it was written.
    """
    if ROWS not in manifest["files"]:
        why = (
            "was prepared by an earlier version, which kept no log: prepare it again with "
            "use_cache=false"
            if manifest.get("has_timestamps") and manifest["split"] != "given"
            else "has no timestamps, or a split of its own, so nothing says what came later: "
            "prepare all rows together"
        )
        raise UserError(f"{folder} cannot be extended: it {why}.")
    for name in FILES:
        if name in manifest["files"] and (
            not (folder / name).is_file() or file_sha256(folder / name) != manifest["files"][name]
        ):
            raise UserError(
                f"{folder / name} was changed after prepare_data wrote it: remove the folder and "
                "prepare it again."
            )
    items = None
    if _ITEMS in manifest["files"]:
        items = feather.read_table(folder / _ITEMS).to_pandas().astype("str")
    rows = feather.read_table(folder / ROWS).to_pandas()
    clock = manifest.get("clock", "number")
    return RawData(rows, items, True, manifest["order"], manifest["origin"], [], clock)


def _write(frame: pd.DataFrame, path: Path) -> None:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    feather.write_feather(table, path, compression="lz4")
