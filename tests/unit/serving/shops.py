"""A shop whose customers step through its catalog, and students who learnt that, or did not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recdistill.data import Cases, Catalog, PreparedData, Sequences
from recdistill.serving import gather_student
from recdistill.students import StudentConfig, StudentRecommender, build_student, save_model
from recdistill.training import (
    FitConfig,
    LossConfig,
    OptimizerConfig,
    StudentRecipe,
    fit_student,
)

if TYPE_CHECKING:
    from pathlib import Path

N_ITEMS = 40
_ARCHITECTURE = StudentConfig(dim=16, n_blocks=1, max_length=12, dropout=0.1)
_LOOP = FitConfig(
    max_epochs=8, tokens_per_batch=400, patience=0, optimizer=OptimizerConfig(lr=0.01)
)


def catalog_of(raw_ids: list[str]) -> Catalog:
    """A catalog of these raw ids, titled after them."""
    titles = [f"Thing {raw}" for raw in raw_ids]
    frame = pd.DataFrame({"raw_id": raw_ids, "title": titles, "text": titles})
    return Catalog(frame.set_index(pd.RangeIndex(1, len(raw_ids) + 1, name="item")))


def shop(folder: Path, n_users: int = 300) -> PreparedData:
    """Customers whose next item is one to three further; the catalog also lies as a file."""
    draw = np.random.default_rng(7)
    rows = []
    for _ in range(n_users):
        steps = draw.integers(1, 4, draw.integers(4, 30))
        rows.append((draw.integers(N_ITEMS) + np.cumsum(steps)) % N_ITEMS + 1)
    catalog = catalog_of([f"r{i}" for i in range(1, N_ITEMS + 1)])
    catalog.items.reset_index().to_csv(folder / "catalog.csv", index=False)

    def cases(back: int) -> Cases:
        targets = np.array([row[-back] for row in rows], np.int32)
        return Cases(np.arange(n_users), Sequences.from_lists(r[:-back] for r in rows), targets)

    return PreparedData(
        dataset="shop",
        catalog=catalog,
        users=np.array([f"u{i}" for i in range(n_users)], dtype=object),
        train=Sequences.from_lists(row[:-2] for row in rows),
        val=cases(2),
        test=cases(1),
        manifest={"split_digest": "shop"},
        folder=folder,
    )


def trained(data: PreparedData, *, seed: int = 0) -> StudentRecommender:
    """A student who learnt the steps."""
    recipe = StudentRecipe(_ARCHITECTURE, LossConfig(), _LOOP)
    return fit_student(recipe, data, seed=seed).recommender


def untrained(data: PreparedData, *, seed: int = 1) -> StudentRecommender:
    """A student who learnt nothing."""
    model = build_student(_ARCHITECTURE, data.catalog.n_items, seed=seed)
    return StudentRecommender(model, _ARCHITECTURE, data.catalog.digest, data.split_digest)


def packaged(student: StudentRecommender, data: PreparedData, folder: Path) -> Path:
    """What ``promote`` gathers of a student."""
    save_model(student, folder / "model")
    return gather_student(folder / "model", data.folder / "catalog.csv", folder / "student")
