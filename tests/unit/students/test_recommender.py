"""A student on disk is the same student, for the same catalog only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest
import torch

from recdistill.checksums import write_description
from recdistill.data import Catalog, Sequences
from recdistill.errors import UserError
from recdistill.evaluation import Recommender
from recdistill.students import (
    STUDENT_KINDS,
    StudentConfig,
    StudentRecommender,
    build_student,
    load_model,
    save_model,
)

if TYPE_CHECKING:
    from pathlib import Path


def _catalog(n_items: int, title: str = "film") -> Catalog:
    ids = range(1, n_items + 1)
    text = [f"{title} {i}" for i in ids]
    frame = pd.DataFrame({"raw_id": [str(i) for i in ids], "title": text, "text": text})
    return Catalog(frame.set_index(pd.RangeIndex(1, n_items + 1, name="item")))


@pytest.fixture(params=STUDENT_KINDS)
def recommender(request: pytest.FixtureRequest) -> StudentRecommender:
    config = StudentConfig(request.param, dim=8, max_length=6)
    model = build_student(config, 20, seed=3)
    return StudentRecommender(model, config, _catalog(20).digest, "split")


def test_saving_and_loading_keeps_every_score(recommender: StudentRecommender, tmp_path: Path):
    save_model(recommender, tmp_path / "model")
    loaded = load_model(tmp_path / "model", _catalog(20))
    histories = Sequences.from_lists([[1, 2, 3], [20] * 9, []])
    assert torch.equal(loaded.score(histories), recommender.score(histories))
    assert loaded.config == recommender.config
    assert isinstance(loaded, Recommender)
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == [
        "config.json",
        "weights.safetensors",
    ]


def test_a_student_of_another_catalog_is_refused(recommender: StudentRecommender, tmp_path: Path):
    save_model(recommender, tmp_path)
    with pytest.raises(UserError, match="other items"):
        load_model(tmp_path, _catalog(20, title="song"))


def test_a_folder_without_a_student_is_refused(recommender: StudentRecommender, tmp_path: Path):
    with pytest.raises(UserError, match=r"no config\.json"):
        load_model(tmp_path, _catalog(20))
    save_model(recommender, tmp_path)
    write_description(tmp_path / "config.json", {"family": "floor", "format": 3}, [])
    with pytest.raises(UserError, match="not a student"):
        load_model(tmp_path, _catalog(20))
