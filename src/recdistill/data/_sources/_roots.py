"""Data sets that a licence keeps out of every package: read from the folders of RECDISTILL_DATA."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recdistill.data._raw import RawData
from recdistill.data._readers._rows import require_columns
from recdistill.data._sources._cache import find_in_roots, sha256_of
from recdistill.data._text import described, plain_text
from recdistill.data._titles import readable_items

if TYPE_CHECKING:
    from pathlib import Path

    from recdistill.data._config import DataConfig


def _origin(folder: Path, *names: str) -> dict[str, object]:
    return {"folder": folder.name, "sha256": {n: sha256_of(folder / n) for n in names}}


def _items(path: Path, config: DataConfig) -> pd.DataFrame:
    frame = pd.read_parquet(path).rename(columns={"item": "raw_id"})
    if config.columns.text:
        require_columns(
            [str(c) for c in frame], config.columns.text, path.name, "correct columns.text"
        )
        frame["description"] = described(frame, config.columns.text)
    frame["raw_id"] = frame["raw_id"].astype("str")
    frame["title"] = frame["title"].str.strip()
    return frame.assign(line=np.arange(1, len(frame) + 1))


def load_ml_1m_sasrec(config: DataConfig) -> RawData:
    """Read the rows behind the published SASRec, BERT4Rec and gSASRec numbers: no clock."""
    folder = find_in_roots(config.dataset, "ml-1m")
    rows = pd.read_parquet(
        folder / "interactions.parquet", columns=["user", "item", "position"]
    ).rename(columns={"position": "order"})
    rows["line"] = np.arange(1, len(rows) + 1)
    items = _items(folder / "items.parquet", config)
    items["genres"] = items["genres"].str.replace("|", ", ", regex=False)
    return RawData(
        rows,
        readable_items(items),
        False,
        "the published position within the user (no timestamps, no ties)",
        _origin(folder, "interactions.parquet", "items.parquet"),
    )


def load_amazon_beauty(config: DataConfig) -> RawData:
    """Read the 5-core Beauty of the SASRec, BERT4Rec and TIGER literature: no clock."""
    folder = find_in_roots(config.dataset, "amazon-beauty")
    rows = pd.read_parquet(
        folder / "interactions.parquet", columns=["user", "item", "position"]
    ).rename(columns={"position": "order"})
    rows["line"] = np.arange(1, len(rows) + 1)
    items = _items(folder / "items.parquet", config)
    items["title"] = items["title"].map(plain_text)
    return RawData(
        rows,
        items,
        False,
        "the published order within the user (no timestamps, no ties)",
        _origin(folder, "interactions.parquet", "items.parquet"),
    )


def load_online_retail(config: DataConfig) -> RawData:
    """Read purchases; the lines of one invoice share a time and keep their order on it."""
    folder = find_in_roots(config.dataset, "online-retail")
    rows = pd.read_parquet(folder / "interactions.parquet", columns=["user", "item", "timestamp"])
    rows = rows.rename(columns={"timestamp": "order"})
    rows["line"] = np.arange(1, len(rows) + 1)
    return RawData(
        rows,
        _items(folder / "items.parquet", config),
        True,
        "invoice timestamp; the lines of one invoice share it and keep the file's order",
        _origin(folder, "interactions.parquet", "items.parquet"),
    )


def load_lastfm_ilora(config: DataConfig) -> RawData:
    """Rebuild iLoRA's listening sequences from its (ten artists, next artist) rows.

    A training row without history begins a user; the following rows' ``next`` are that user's
    artists in order. A validation or test row is a user of its own: up to ten artists, then the
    target. Raw ids are the authors' own numbers, 0 included: they become 1..n in the catalog.
    """
    folder = find_in_roots(config.dataset, "ilora/lastfm")
    names = ("train_data.parquet", "Val_data.parquet", "Test_data.parquet")
    train = pd.read_parquet(folder / names[0])
    history = np.stack(train["seq"].to_list())
    padding = int(history.max())
    n_known = (history != padding).sum(axis=1)
    user = np.cumsum(n_known == 0)
    parts = [
        pd.DataFrame({"user": [f"train-{u:04d}" for u in user], "item": train["next"], "part": 0})
    ]
    for code, name in ((1, names[1]), (2, names[2])):
        rows = pd.read_parquet(folder / name)
        whole = np.column_stack([np.stack(rows["seq"].to_list()), rows["next"]])
        at_user, at_column = np.nonzero(whole != padding)
        part = ("train", "val", "test")[code]
        users = [f"{part}-{u + 1:04d}" for u in at_user]
        parts.append(pd.DataFrame({"user": users, "item": whole[at_user, at_column], "part": code}))
    frame = pd.concat(parts, ignore_index=True)
    frame["order"] = frame["line"] = np.arange(1, len(frame) + 1)
    listed = (folder / "id2name.txt").read_text(encoding="utf-8").splitlines()
    items = pd.DataFrame([line.split("::", 1) for line in listed], columns=["raw_id", "title"])
    items["line"] = np.arange(1, len(items) + 1)
    return RawData(
        frame,
        items,
        False,
        "the authors' order of rows (no timestamps); a val or test user has the newest ten only",
        _origin(folder, *names, "id2name.txt"),
    )
