"""A small world with an order to learn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from recdistill.data import Cases, Catalog, PreparedData, Sequences

if TYPE_CHECKING:
    from pathlib import Path

N_ITEMS = 30


@pytest.fixture
def walks(tmp_path: Path) -> PreparedData:
    """Users who step through the catalog: the next item is one to three further, modulo its size.

    A model that learns the order finds the target among three items; chance among thirty.
    """
    random = np.random.default_rng(7)
    rows = []
    for _ in range(120):
        steps = random.integers(1, 4, random.integers(4, 40))
        rows.append((random.integers(N_ITEMS) + np.cumsum(steps)) % N_ITEMS + 1)
    n = len(rows)
    frame = pd.DataFrame({name: [f"{i}" for i in range(N_ITEMS)] for name in ("raw_id", "title")})
    frame["text"] = frame["title"]
    catalog = Catalog(frame.set_index(pd.RangeIndex(1, N_ITEMS + 1, name="item")))

    def cases(back: int) -> Cases:
        return Cases(
            np.arange(n),
            Sequences.from_lists(row[:-back] for row in rows),
            np.array([row[-back] for row in rows], np.int32),
        )

    return PreparedData(
        dataset="walks",
        catalog=catalog,
        users=np.array([f"u{i}" for i in range(n)], dtype=object),
        train=Sequences.from_lists(row[:-2] for row in rows),
        val=cases(2),
        test=cases(1),
        manifest={"split_digest": "walks"},
        folder=tmp_path,
    )
