"""Lists for every training position out of full scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from recdistill.lessons._best import best_items
from recdistill.lessons._lessons import Lessons

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from recdistill.data import Sequences
    from recdistill.evaluation import PositionScores


def collect_lessons(
    parts: Iterable[PositionScores],
    train: Sequences,
    *,
    k: int,
    scale: float = 1.0,
    scratch: Path | None = None,
) -> Lessons:
    """Keep the ``k`` best items of every scored position, the items already seen left out.

    Parameters
    ----------
    parts : scores of positions, no position twice
    train : Sequences
    k : int
    scale : float
        Turns scores into logits.
    scratch : Path, optional
        A folder for two files that hold the lists in the place of main memory, the logits in half
        precision, as a transfer set keeps them. The lessons are good as long as the files are.

    Returns
    -------
    Lessons
        Every listed row weighs 1.
    """
    n = len(train.items)
    items = _zeros(n, k, torch.int32, scratch, "items")
    logits = _zeros(n, k, torch.float16 if scratch else torch.float32, scratch, "logits")
    logits.fill_(-torch.inf)
    distance = torch.zeros(n)
    for part in parts:
        at = torch.from_numpy(train.offsets[part.users] + part.positions)
        targets = torch.from_numpy(train.items)[at].long()[:, None]
        scores = part.scores * scale
        wanted = scores.gather(1, targets)
        rows, seen = _seen(part.users, part.positions, train)
        scores[rows, seen] = -torch.inf
        width = min(k, scores.shape[1])  # a catalog may be shorter than a list
        best, listed = best_items(scores, width)
        items[at, :width] = torch.where(best.isfinite(), listed, 0).int()
        highest = best[:, :1].clone()
        # The scores are not needed any more, so they become the terms of their own normaliser.
        total = scores.sub_(highest).exp_().sum(1, keepdim=True)
        logits[at, :width] = (best - highest - total.log()).to(logits)
        # A repeated true item is masked like any other, yet may be what the teacher meant.
        distance[at] = (highest - wanted)[:, 0].clamp(min=0)
    # Nobody trains to predict a first item, so a list for it would only be counted.
    items[torch.from_numpy(train.offsets[:-1][train.lengths > 0])] = 0
    lessons = Lessons(train, items, logits, distance, torch.zeros(n))
    return lessons.weighted(torch.ones(n))


def _zeros(n: int, k: int, dtype: torch.dtype, folder: Path | None, name: str) -> torch.Tensor:
    if folder is None or n == 0:
        return torch.zeros(n, k, dtype=dtype)
    # A file without content reads as zeros.
    room = torch.from_file(str(folder / f"lists_{name}"), shared=True, size=n * k, dtype=dtype)
    return room.view(n, k)


def _seen(
    users: NDArray[np.int64], positions: NDArray[np.int64], train: Sequences
) -> tuple[torch.Tensor, torch.Tensor]:
    """Row and item of everything in the histories of these positions."""
    ends = np.cumsum(positions)
    rows = np.repeat(np.arange(len(positions)), positions)
    age = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - positions, positions)
    seen = train.items[np.repeat(train.offsets[users], positions) + age]
    return torch.from_numpy(rows), torch.from_numpy(seen).long()
