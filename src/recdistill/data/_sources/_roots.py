"""Data sets that a licence keeps out of every package: read from the folders of RECDISTILL_DATA."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recdistill.data._raw import RawData
from recdistill.data._sources._cache import find_in_roots, sha256_of
from recdistill.data._titles import readable_items

if TYPE_CHECKING:
    from pathlib import Path

    from recdistill.data._config import DataConfig


def _origin(folder: Path, *names: str) -> dict[str, object]:
    return {"folder": folder.name, "sha256": {n: sha256_of(folder / n) for n in names}}


def load_ml_1m_sasrec(config: DataConfig) -> RawData:
    """The rows behind the published SASRec, BERT4Rec and gSASRec numbers: an order, no clock."""
    folder = find_in_roots(config.dataset, "ml-1m")
    rows = pd.read_parquet(
        folder / "interactions.parquet", columns=["user", "item", "position"]
    ).rename(columns={"position": "order"})
    rows["line"] = np.arange(1, len(rows) + 1)
    items = pd.read_parquet(folder / "items.parquet", columns=["item", "title", "genres"])
    items["genres"] = items["genres"].str.replace("|", ", ", regex=False)
    items = items.rename(columns={"item": "raw_id"}).astype({"raw_id": "str"})
    items["line"] = np.arange(1, len(items) + 1)
    return RawData(
        rows,
        readable_items(items),
        False,
        "the published position within the user (no timestamps, no ties)",
        _origin(folder, "interactions.parquet", "items.parquet"),
    )
