import numpy as np
import pandas as pd
import pytest

from recdistill.data import Catalog, Sequences

N_ITEMS = 12


def make_catalog(n_items, prefix=""):
    ids = range(1, n_items + 1)
    items = pd.DataFrame(
        {name: [f"{prefix}{name} {i}" for i in ids] for name in ("raw_id", "title", "text")},
        index=pd.Index(ids, name="item"),
    )
    return Catalog(items)


@pytest.fixture
def catalog():
    return make_catalog(N_ITEMS)


@pytest.fixture
def foreign_catalog():
    return make_catalog(N_ITEMS, "other ")


@pytest.fixture
def train():
    """Users of very different lengths, one of them without any interaction, with repeats."""
    rng = np.random.default_rng(0)
    lengths = [0, 1, 2, 5, 9, 30, 150, 4]
    return Sequences.from_lists([rng.integers(1, N_ITEMS + 1, n) for n in lengths])
