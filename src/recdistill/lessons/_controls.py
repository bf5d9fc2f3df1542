"""Controls: lessons without the teachers' knowledge, to measure a gain against."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from recdistill.lessons._lessons import Lessons, shuffled
from recdistill.lessons._positions import score_positions
from recdistill.lessons._top_lists import collect_lessons
from recdistill.students import StudentRecommender, build_student

if TYPE_CHECKING:
    from recdistill.data import PreparedData
    from recdistill.lessons._config import Control
    from recdistill.students import StudentConfig


def control_lessons(
    control: Control,
    lessons: Lessons,
    data: PreparedData,
    architecture: StudentConfig,
    *,
    seed: int,
) -> Lessons:
    """Return lessons on the same sequences that know nothing of what the teachers know.

    Parameters
    ----------
    control : Control
        ``none`` returns the lessons themselves.
    lessons : Lessons
    data : PreparedData
    architecture : StudentConfig
        Of the untrained network, which starts at random and knows of no co-occurrence.
    seed : int
    """
    if control == "no_lists":
        return Lessons.none(lessons.sequences)
    if control == "random_lists":
        return _random_items(lessons, data.catalog.n_items, seed)
    if control == "permuted_lists":
        return shuffled(lessons, seed)
    if control == "random_teacher":
        return _of_untrained(lessons, data, architecture, seed)
    return lessons


_DRAWN_AT_A_TIME = 4_000_000  # random numbers, 16 MB of them


def _random_items(lessons: Lessons, n_items: int, seed: int) -> Lessons:
    """Draw each list's items without repetition; probabilities and lengths stay."""
    generator = torch.Generator().manual_seed(seed)
    items = torch.zeros_like(lessons.items)
    k, step = min(items.shape[1], n_items), max(1, _DRAWN_AT_A_TIME // n_items)
    for start in range(0, len(items), step):
        some = items[start : start + step, :k]
        drawn = torch.rand(len(some), n_items, generator=generator).topk(k, 1).indices
        some[:] = drawn + 1
    return replace(lessons, items=items * (lessons.items > 0))


def _of_untrained(
    lessons: Lessons, data: PreparedData, architecture: StudentConfig, seed: int
) -> Lessons:
    plain = replace(architecture, item="id", item_start="random")
    network = build_student(plain, data.catalog.n_items, seed=seed, train=data.train).eval()
    model = StudentRecommender(network, plain, data.catalog.digest, data.split_digest)
    parts = score_positions(model, lessons.sequences, data.catalog.n_items)
    said = collect_lessons(parts, lessons.sequences, k=lessons.items.shape[1])
    return said.weighted(lessons.weights)
