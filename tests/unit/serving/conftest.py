"""A small student with random weights, saved the way a run saves it, beside its catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest
import torch

from recdistill.data import Catalog
from recdistill.serving import gather_student
from recdistill.students import (
    STUDENT_KINDS,
    StudentConfig,
    StudentRecommender,
    build_student,
    save_model,
)

if TYPE_CHECKING:
    from pathlib import Path

TITLES = ["Toy Story", "Sabrina", "Sabrina", "Heat", "Heat", "Casino", "1", "Fargo"]
YEARS = [1995, 1954, 1995, 1995, 1995, 1995, 2001, 1996]


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """Sixty items: two films of one title, two alike but for their id, one titled like an id."""
    n = 60
    titles = TITLES + [f"Film {i}" for i in range(n - len(TITLES))]
    texts = [f"{t} ({y}), Drama" for t, y in zip(TITLES, YEARS, strict=True)] + titles[
        len(TITLES) :
    ]
    items = pd.DataFrame(
        {"raw_id": [str(i) for i in range(1, n + 1)], "title": titles, "text": texts},
        index=pd.RangeIndex(1, n + 1, name="item"),
    )
    return Catalog(items)


@pytest.fixture(scope="session", params=STUDENT_KINDS)
def student(request: pytest.FixtureRequest, catalog: Catalog) -> StudentRecommender:
    """Weights far from their start, so that nothing is equal by being zero."""
    config = StudentConfig(
        kind=request.param, dim=16, max_length=12, n_blocks=2, item_start="random"
    )
    model = build_student(config, catalog.n_items, seed=0).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.3 * torch.randn(weight.shape, generator=generator)
        model.item_table()[0] = 0
    return StudentRecommender(model, config, catalog.digest, "split")


@pytest.fixture
def folder(student: StudentRecommender, catalog: Catalog, tmp_path: Path) -> Path:
    """What `promote` gathers from a run and its data."""
    save_model(student, tmp_path / "model")
    catalog.items.reset_index().to_csv(tmp_path / "catalog.csv", index=False)
    return gather_student(tmp_path / "model", tmp_path / "catalog.csv", tmp_path / "student")
