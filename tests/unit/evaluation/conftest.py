from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
import torch

from recdistill.data import Cases, Catalog, Sequences

N_ITEMS = 60
N_USERS = 40


@dataclass
class TableScorer:
    """Scores looked up by the history's last item, so that a batch can be rebuilt by hand."""

    catalog_digest: str
    table: torch.Tensor  # [n_items + 1, n_items + 1]
    n_calls: int = field(default=0)

    def score(self, histories: Sequences) -> torch.Tensor:
        self.n_calls += 1
        last = histories.padded(1)[:, 0]
        return self.table[torch.from_numpy(last).long()].clone()


@pytest.fixture
def catalog():
    ids = range(1, N_ITEMS + 1)
    items = pd.DataFrame(
        {name: [f"{name} {i}" for i in ids] for name in ("raw_id", "title", "text")},
        index=pd.Index(ids, name="item"),
    )
    return Catalog(items)


@pytest.fixture
def train():
    rng = np.random.default_rng(3)
    return Sequences.from_lists(
        [rng.choice(np.arange(1, N_ITEMS + 1), size=5, replace=False) for _ in range(N_USERS)]
    )


@pytest.fixture
def cases(train):
    rng = np.random.default_rng(4)
    targets = [
        rng.choice(np.setdiff1d(np.arange(1, N_ITEMS + 1), train.row(u))) for u in range(N_USERS)
    ]
    return Cases(np.arange(N_USERS), train, np.array(targets, np.int32))


@pytest.fixture
def scorer(catalog):
    """Coarse scores: ties are common."""
    rng = np.random.default_rng(5)
    table = torch.from_numpy(rng.integers(0, 8, (N_ITEMS + 1, N_ITEMS + 1)).astype(np.float32))
    table[:, 0] = -torch.inf
    return TableScorer(catalog.digest, table)
