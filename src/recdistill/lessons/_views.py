"""Many views of every user's training items: what teachers are asked about, and students read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recdistill.data import Sequences
from recdistill.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHORTEST = 3  # items of a view: fewer make no history worth asking about


@dataclass(frozen=True)
class ViewsConfig:
    """How views are drawn.

    Attributes
    ----------
    n_views : int
        Per user, the first being the history as it is.
    crop : float
        Chance that a view is a stretch of the history, and not all of it.
    shortest_crop : float
        Smallest share of the history that a stretch keeps; the share is drawn evenly up to 1.
    drop : float
        Largest share of its items that a view leaves out; the share is drawn evenly from 0.
    """

    n_views: int = 12
    crop: float = 0.5
    shortest_crop: float = 0.3
    drop: float = 0.5

    def __post_init__(self) -> None:
        if self.n_views < 1:
            raise UserError(f"n_views is {self.n_views}; it must be at least 1.")
        for name in ("crop", "shortest_crop", "drop"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"{name} is {getattr(self, name)}; it must lie between 0 and 1.")


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
