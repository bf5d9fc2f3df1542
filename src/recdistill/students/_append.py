"""A trained student that also knows items which came after its training, by their texts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from recdistill.students._build import build_student
from recdistill.students._item_table import item_embedding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from recdistill.students._recommender import StudentRecommender


def append_items(
    student: StudentRecommender, vectors: NDArray[np.float32], catalog_digest: str
) -> StudentRecommender:
    """Return the student with one more item per vector; it scores the others as before.

    Parameters
    ----------
    student : StudentRecommender, trained with texts
    vectors : float array, shape [n_new, text_dim]
        Of the new items' texts, from where its own came.
    catalog_digest : str
        Of the catalog that these items made of its own.

    Raises
    ------
    ValueError
        When the student has learnt nothing about texts.
    """
    if student.text is None:
        raise ValueError("a student of ids alone cannot place an item that it never met")
    old = student.model
    grown = build_student(student.config, old.n_items + len(vectors), seed=0)
    table = item_embedding(grown).weight
    name = next(name for name, found in grown.named_parameters() if found is table)
    state = dict(old.state_dict())
    new = student.text.place(state[name], torch.from_numpy(vectors))  # [n_new, dim]
    state[name] = torch.cat([state[name], new.to(state[name])])
    grown.load_state_dict(state)
    return replace(student, model=grown.eval(), catalog_digest=catalog_digest)
