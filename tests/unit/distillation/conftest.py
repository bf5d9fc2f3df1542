"""A small step in float64, and a small world with a teacher who knows its order."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from recdistill.data import Cases, Catalog, PreparedData, Sequences
from recdistill.distillation import Lesson, Lessons, collect_lessons
from recdistill.floors import cross_fitted_scores


@dataclass
class Small:
    states: torch.Tensor  # [n, dim]
    table: torch.Tensor  # [n_items + 1, dim]
    targets: torch.Tensor  # [n]
    lesson: Lesson

    @property
    def n_items(self) -> int:
        return len(self.table) - 1

    def logits(self) -> torch.Tensor:
        return self.states @ self.table[1:].T


@pytest.fixture
def small() -> Small:
    return make_small()


def make_small(n: int = 13, n_items: int = 90, dim: int = 5, k: int = 4, seed: int = 0) -> Small:
    random = torch.Generator().manual_seed(seed)
    states = torch.randn(n, dim, generator=random, dtype=torch.float64, requires_grad=True)
    table = torch.randn(n_items + 1, dim, generator=random, dtype=torch.float64)
    table[0] = 0
    items = torch.stack([torch.randperm(n_items, generator=random)[:k] + 1 for _ in range(n)])
    logits = torch.randn(n, k, generator=random, dtype=torch.float64).sort(1, descending=True)[0]
    # Row 0 has no list at all, row 1 a short one.
    items[0], logits[0] = 0, -torch.inf
    items[1, 2:], logits[1, 2:] = 0, -torch.inf
    # Log-probabilities with a tenth to a half of the mass outside the list.
    logits = logits.log_softmax(1) + torch.empty(n, 1).uniform_(0.5, 0.9, generator=random).log()
    logits[0] = -torch.inf
    weights = torch.rand(n, generator=random, dtype=torch.float64)
    weights[0] = 0
    doubt = torch.rand(n, generator=random, dtype=torch.float64) * 3
    targets = torch.randint(1, n_items + 1, (n,), generator=random)
    return Small(states, table.requires_grad_(), targets, Lesson(items, logits, doubt, weights))


N_ITEMS = 30


@pytest.fixture
def walks(tmp_path: Path) -> PreparedData:
    """Users who step through the catalog: the next item is one to three further."""
    random = np.random.default_rng(7)
    rows = []
    for _ in range(60):
        steps = random.integers(1, 4, random.integers(4, 30))
        rows.append((random.integers(N_ITEMS) + np.cumsum(steps)) % N_ITEMS + 1)
    frame = pd.DataFrame({name: [f"{i}" for i in range(N_ITEMS)] for name in ("raw_id", "title")})
    frame["text"] = frame["title"]
    catalog = Catalog(frame.set_index(pd.RangeIndex(1, N_ITEMS + 1, name="item")))

    def cases(back: int) -> Cases:
        history = Sequences.from_lists(row[:-back] for row in rows)
        targets = np.array([row[-back] for row in rows], np.int32)
        return Cases(np.arange(len(rows)), history, targets)

    return PreparedData(
        dataset="walks",
        catalog=catalog,
        users=np.array([f"u{i}" for i in range(len(rows))], dtype=object),
        train=Sequences.from_lists(row[:-2] for row in rows),
        val=cases(2),
        test=cases(1),
        manifest={"split_digest": "walks"},
        folder=tmp_path,
    )


@pytest.fixture
def lessons(walks: PreparedData) -> Lessons:
    """What the skip-gram counter says at every training position, cross-fitted."""
    scores = cross_fitted_scores("counter", None, walks.train, walks.catalog, n_folds=3)
    return collect_lessons(scores, walks.train, k=5, scale=3.0)
