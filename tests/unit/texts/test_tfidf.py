"""TF-IDF on catalogs whose texts have little in common."""

from __future__ import annotations

import numpy as np
import pytest

from recdistill.errors import UserError
from recdistill.texts import TfidfEncoder


def test_titles_of_one_word_each_are_told_apart_by_their_characters() -> None:
    titles = [f"SKU{i:05d}X" for i in range(1200)]  # no word is met twice
    vectors = TfidfEncoder(titles, 16).encode(titles)
    assert vectors.shape == (1200, 16)
    near, far = vectors[100] @ vectors[101], vectors[100] @ vectors[999]
    assert near > far


def test_titles_without_a_word_have_vectors_too() -> None:
    titles = ["!!!", "...", "--", "?? !!"]
    assert np.isfinite(TfidfEncoder(titles, 2).encode(titles)).all()


def test_texts_that_share_nothing_are_refused_in_a_sentence() -> None:
    with pytest.raises(UserError, match=r"TF-IDF cannot tell what is alike.*columns\.text"):
        TfidfEncoder([""] * 3, 8)
