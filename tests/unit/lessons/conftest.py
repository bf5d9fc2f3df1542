"""A small world with a teacher who knows its order; the rooms above use it too."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recdistill.data import Cases, Catalog, PreparedData, Sequences
from recdistill.lessons import Lessons, collect_lessons
from tests.unit.lessons.cross_fitted import cross_fitted_scores
from tests.unit.teachers.conftest import catalog, prepared  # noqa: F401

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
    numbers = Catalog(frame.set_index(pd.RangeIndex(1, N_ITEMS + 1, name="item")))

    def cases(back: int) -> Cases:
        history = Sequences.from_lists(row[:-back] for row in rows)
        targets = np.array([row[-back] for row in rows], np.int32)
        return Cases(np.arange(len(rows)), history, targets)

    return PreparedData(
        dataset="walks",
        catalog=numbers,
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
