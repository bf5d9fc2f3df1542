"""Many views of every user's training items: what teachers are asked about, and students read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recdistill.data import Sequences

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recdistill.lessons._config import ViewsConfig

_SHORTEST = 3  # items of a view: fewer make no history worth asking about


@dataclass(frozen=True)
class Views:
    """Histories made of training items.

    Attributes
    ----------
    sequences : Sequences
    owners : int64 array, shape [n_views_total]
        Row of the training sequences that each view is of.
    """

    sequences: Sequences
    owners: NDArray[np.int64]


def draw_views(train: Sequences, config: ViewsConfig, *, seed: int) -> Views:
    """Draw views of every row: stretches of it with items left out, order kept.

    What follows an item in a view did follow it in the history, though not always at once, so the
    next item of a view is still a fair target.

    Parameters
    ----------
    train : Sequences
    config : ViewsConfig
    seed : int
    """
    random = np.random.default_rng(seed)
    rows: list[NDArray[np.int32]] = []
    for view in range(config.n_views):
        for user in range(len(train)):
            row = train.row(user)
            rows.append(_one(row, config, random) if view else row)
    owners = np.tile(np.arange(len(train)), config.n_views)
    return Views(Sequences.from_lists(rows), owners)


def _one(
    row: NDArray[np.int32], config: ViewsConfig, random: np.random.Generator
) -> NDArray[np.int32]:
    if len(row) > _SHORTEST and random.random() < config.crop:
        kept = max(_SHORTEST, int(len(row) * random.uniform(config.shortest_crop, 1)))
        start = random.integers(len(row) - kept + 1)
        row = row[start : start + kept]
    stays = random.random(len(row)) >= random.uniform(0, config.drop)
    return row[stays] if stays.sum() >= _SHORTEST else row
