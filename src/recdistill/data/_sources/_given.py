"""The user's own three files: train, val and test, taken as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recdistill.data._raw import Finding, RawData
from recdistill.data._readers import reader_for
from recdistill.data._sources._clocks import as_text, one_clock
from recdistill.data._sources._files import fingerprint, located, order_rule, read_bytes, read_items
from recdistill.errors import UserError

if TYPE_CHECKING:
    from recdistill.data._config import DataConfig
    from recdistill.data._raw import Clock

PARTS = ("train", "val", "test")


def load_given(config: DataConfig) -> RawData:
    """Read train_file, val_file and test_file into one frame with a ``part`` column."""
    digests = fingerprint(config)
    files = located(config)
    frames: list[pd.DataFrame] = []
    clocks: list[Clock] = []
    findings: list[Finding] = []
    for code, part in enumerate(PARTS):
        path = files[part]
        reader = reader_for(path.name, config.reading.format)
        rows, clock, found = reader.read_interactions(
            read_bytes(path, f"{part}_file"), path.name, config
        )
        frames.append(rows.assign(part=np.int8(code)))
        clocks.append(clock)
        findings += [Finding(f"{f.name}_{part}", f.count, f.action, f.sentence) for f in found]
    frames, clock = one_clock(frames, clocks, [f"{part}_file" for part in PARTS])
    rows = pd.concat([as_text(f, frames) for f in frames], ignore_index=True, join="inner")
    if clock:
        _refuse_shared_rows(rows, files["train"].name)
    listed = None
    if "items" in files:
        listed, more = read_items(
            files["items"].name, read_bytes(files["items"], "reading.items_file"), config
        )
        findings += more
    return RawData(
        rows,
        listed,
        bool(clock),
        "train before val before test; within a file, " + order_rule(clock, "that file"),
        {"files": {role: str(path) for role, path in files.items()}, "sha256": digests},
        findings,
        clock,
    )


def _refuse_shared_rows(rows: pd.DataFrame, train_name: str) -> None:
    keys = ["user", "item", "order"]
    shared = rows[
        rows.drop_duplicates([*keys, "part"]).duplicated(keys).reindex(rows.index, fill_value=False)
    ]
    if len(shared):
        first = shared.iloc[0]
        part = PARTS[int(first["part"])]
        raise UserError(
            f"{part}_file repeats {len(shared)} rows of an earlier part, with the same user, item "
            f"and timestamp (first: user {first['user']}, item {first['item']}, line "
            f"{first['line']}; {train_name} comes first): a model would be tested on what it "
            "learned, so take them out of one of the files."
        )
