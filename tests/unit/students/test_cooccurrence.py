"""Counted item vectors put together what is consumed together."""

from __future__ import annotations

import numpy as np
import torch

from recdistill.data import Sequences
from recdistill.students import StudentConfig, build_student
from recdistill.students._cooccurrence import cooccurrence_vectors


def _two_worlds() -> Sequences:
    """Items 1-10 and 11-20 never meet; 21 never occurs."""
    random = np.random.default_rng(0)
    return Sequences.from_lists(random.integers(1, 11, 30) + 10 * (i % 2) for i in range(80))


def test_neighbours_in_history_are_neighbours_in_space():
    vectors = cooccurrence_vectors(_two_worlds(), 21, 8)[1:21]
    unit = torch.nn.functional.normalize(vectors, dim=1)
    cosine = unit @ unit.T
    same = torch.arange(20)[:, None] // 10 == torch.arange(20) // 10
    assert cosine[same].mean() > 0.3 + cosine[~same].mean()


def test_scale_padding_unseen_items_and_repeatability():
    vectors = cooccurrence_vectors(_two_worlds(), 21, 8, std=0.05)
    assert vectors.shape == (22, 8)
    assert not vectors[0].any()
    assert vectors[21].abs().max() < 1e-6
    assert abs(float(vectors[1:].std(correction=0)) - 0.05) < 1e-3
    assert torch.equal(vectors, cooccurrence_vectors(_two_worlds(), 21, 8, std=0.05))


def test_a_catalog_smaller_than_the_width_is_filled_with_zeros():
    vectors = cooccurrence_vectors(Sequences.from_lists([[1, 2, 3, 1, 2]]), 3, 8)
    assert vectors.shape == (4, 8)
    assert torch.isfinite(vectors).all()


def test_a_student_starts_from_them_when_asked():
    train = _two_worlds()
    config = StudentConfig(dim=8, max_length=6, item_start="cooccurrence")
    student = build_student(config, 21, seed=0, train=train)
    torch.testing.assert_close(student.item_table()[1:21], cooccurrence_vectors(train, 21, 8)[1:21])
    # An item nobody consumed keeps its random vector: zero would tie it with the padding row.
    assert student.item_table()[21].any()
