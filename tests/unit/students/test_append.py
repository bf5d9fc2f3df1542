"""Items appended to a trained student: old scores stay, new ones are what the texts say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from recdistill.data import Sequences
from recdistill.students import (
    STUDENT_KINDS,
    StudentConfig,
    StudentRecommender,
    append_items,
    build_student,
)
from recdistill.students._item_table import TextMap

HISTORIES = Sequences.from_lists([[1, 2, 3], [20], [5, 6]])


def student(kind: str, text: bool = True) -> StudentRecommender:
    config = StudentConfig(kind=kind, dim=8, max_length=6, n_blocks=1)  # type: ignore[arg-type]
    model = build_student(config, 20, seed=3).eval()
    projection = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
    return StudentRecommender(
        model, config, "old", "split", TextMap(projection, {}, 0.5) if text else None
    )


@pytest.mark.parametrize("kind", STUDENT_KINDS)
def test_old_items_score_as_before_and_new_ones_by_their_text(kind: str) -> None:
    before = student(kind)
    vectors = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    after = append_items(before, vectors, "new")
    assert (after.catalog_digest, before.catalog_digest) == ("new", "old")
    assert after.text is before.text
    was, now = before.score(HISTORIES), after.score(HISTORIES)
    assert now.shape == (3, 24)
    torch.testing.assert_close(now[:, :21], was)
    table = after.model.item_table()
    torch.testing.assert_close(table[21:], torch.from_numpy(vectors) @ before.text.projection)
    assert torch.isfinite(after.score(Sequences.from_lists([[21, 23]]))[:, 1:]).all()


def test_where_items_have_numbers_of_their_own_new_ones_go_among_those_of_like_texts() -> None:
    before = student("sasrec")
    assert before.text is not None
    texts = torch.randn(21, 5, generator=torch.Generator().manual_seed(1))
    texts[0] = texts[4] = 0  # item 4 has no text
    before.text = replace(before.text, texts=texts.half(), length=2.0)
    like_seven = (3 * texts[7]).numpy()
    after = append_items(before, np.stack([like_seven, np.zeros(5, np.float32)]), "new")
    seven, placed, unknown = after.model.item_table()[[7, 21, 22]].detach()
    assert torch.cosine_similarity(placed, seven, dim=0) > 0.9
    torch.testing.assert_close(placed.norm(), torch.tensor(2.0))
    assert not unknown.any()


def test_a_student_of_ids_alone_places_nothing() -> None:
    with pytest.raises(ValueError, match="ids alone"):
        append_items(student("sasrec", text=False), np.zeros((1, 5), np.float32), "new")
