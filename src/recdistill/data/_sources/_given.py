"""The user's own three files: train, val and test, taken as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recdistill.data._raw import Finding, RawData
from recdistill.data._readers import reader_for
from recdistill.data._readers._clock import PER_SECOND
from recdistill.data._sources._files import fingerprint, located, order_rule, read_bytes, read_items
from recdistill.errors import UserError

if TYPE_CHECKING:
    from recdistill.data._config import DataConfig
    from recdistill.data._readers._clock import Clock

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
    clock = _one_clock(frames, clocks)
    rows = pd.concat([_as_text(f, frames) for f in frames], ignore_index=True, join="inner")
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
    )


def _one_clock(frames: list[pd.DataFrame], clocks: list[Clock]) -> Clock:
    """Bring the three files' order to one measure, in place."""
    if len(set(clocks)) == 1:
        return clocks[0]
    if "" in clocks:
        without = [f"{p}_file" for p, clock in zip(PARTS, clocks, strict=True) if not clock]
        raise UserError(
            f"{' and '.join(without)} {'has' if len(without) == 1 else 'have'} no timestamps while "
            "the other files have: give all three files the column, or none."
        )
    if "number" in clocks:
        plain = [f"{p}_file" for p, clock in zip(PARTS, clocks, strict=True) if clock == "number"]
        raise UserError(
            f"{' and '.join(plain)} gives timestamps as numbers while the other files give dates: "
            "write all three in one way."
        )
    finest = max(clocks, key=PER_SECOND.__getitem__)
    for i, (frame, clock) in enumerate(zip(frames, clocks, strict=True)):
        times = PER_SECOND[finest] // PER_SECOND[clock]
        if frame["order"].abs().max() > np.iinfo(np.int64).max // times:
            raise UserError(
                f"{PARTS[i]}_file has dates too far from today to be counted in {finest}, as the "
                "other files' dates are: write all three in one unit."
            )
        frames[i] = frame.assign(order=frame["order"] * times)
    return finest


def _as_text(frame: pd.DataFrame, frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Ids as text where any of the files has them as text."""
    mixed = [
        key
        for key in ("user", "item")
        if not all(pd.api.types.is_integer_dtype(f[key].dtype) for f in frames)
    ]
    return frame.assign(**{key: frame[key].astype("str") for key in mixed})


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
