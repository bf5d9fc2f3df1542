from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recdistill.data import Catalog

KINDS = ("hand cream", "nail polish", "hair oil", "eye shadow")
COLOURS = ("red", "rose", "pearl", "amber", "night blue", "olive", "copper", "jet black")


def made(texts: list[str]) -> Catalog:
    ids = pd.RangeIndex(1, len(texts) + 1, name="item")
    raw = [f"B{i:04}" for i in ids]
    return Catalog(pd.DataFrame({"raw_id": raw, "title": texts, "text": texts}, index=ids))


def titles(n: int) -> list[str]:
    draw = np.random.default_rng(0)
    return [
        f"{draw.choice(COLOURS)} {draw.choice(KINDS)} {draw.integers(1, 9)} oz" for _ in range(n)
    ]


@pytest.fixture
def catalog() -> Catalog:
    """Forty items, one of them without a text."""
    texts = titles(40)
    texts[7] = ""
    return made(texts)
