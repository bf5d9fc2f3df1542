"""The mistakes that the diagnosis makes on purpose, by name; ``mistakes`` makes them."""

from __future__ import annotations

from typing import Literal

Mistake = Literal[
    "none",
    "positives_only",
    "inverted_confidence",
    "embedding_mse",
    "coupled_l2",
    "padding_index",
]

MISTAKES: dict[Mistake, str] = {
    "positives_only": "ranking distillation pushes the teacher's items up and nothing down",
    "inverted_confidence": "a probability is read as a distance: the surer the teacher, the less "
    "it counts",
    "embedding_mse": "student states are pulled to the teacher's vectors, which are also added to "
    "them, while training only",
    "coupled_l2": "Adam with L2 in the gradient where the baseline has AdamW",
    "padding_index": "left-padded input, read at the index of the length",
}
