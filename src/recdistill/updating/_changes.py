"""What a grown log adds to every user's row, and what it takes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recdistill import floors
from recdistill.data import Sequences

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recdistill.data import PreparedData
    from recdistill.floors import Floor


@dataclass(frozen=True)
class Changes:
    """Ends of training rows that differ between two times.

    Attributes
    ----------
    came, went : Sequences
        The later and the earlier end of every row that changed. Both begin at most ``overlap``
        items before the first difference, so what is counted within that reach cancels.
    """

    came: Sequences
    went: Sequences


def changes(before: PreparedData, now: PreparedData, overlap: int) -> Changes:
    """Find what differs in every user's training row: new items, late ones, those that left.

    Parameters
    ----------
    before, now : PreparedData
        Items of ``before`` have the same numbers in ``now``.
    overlap : int
        Items before the first difference that go with either end.
    """
    users = pd.Index(before.users).union(pd.Index(now.users), sort=False)
    was, is_now = (_rows_of(users, data) for data in (before, now))
    same = _common_prefix(was, is_now)
    changed = np.flatnonzero((same < was.lengths) | (same < is_now.lengths))
    ends = [
        rows.take(changed).tail((rows.lengths - same)[changed] + overlap) for rows in (is_now, was)
    ]
    return Changes(*ends)


def count_on(floor: Floor, before: PreparedData, now: PreparedData) -> Floor:
    """Bring a floor of ``before`` to ``now``: by adding counts where it counts, else by a refit."""
    window = floors.window_of(floor)
    if window is None:
        return floors.refit(floor, now.train, now.catalog)
    found = changes(before, now, overlap=window)
    return floors.count_on(floor, found.came, found.went, now.catalog)


def _rows_of(users: pd.Index, data: PreparedData) -> Sequences:
    """Training rows of all these users, empty where the data have none."""
    places = pd.Index(data.users).get_indexer(users)
    with_empty = Sequences(data.train.items, np.append(data.train.offsets, len(data.train.items)))
    return with_empty.take(np.where(places >= 0, places, len(data.users)))


def _common_prefix(one: Sequences, other: Sequences) -> NDArray[np.int64]:
    """Count equal items from the start of every pair of rows, shape [n_rows]."""
    shorter: NDArray[np.int64] = np.minimum(one.lengths, other.lengths)
    rows = np.repeat(np.arange(len(shorter)), shorter)
    place = np.arange(len(rows)) - np.repeat(np.cumsum(shorter) - shorter, shorter)
    differ = one.items[one.offsets[rows] + place] != other.items[other.offsets[rows] + place]
    same = shorter.copy()
    np.minimum.at(same, rows[differ], place[differ])
    return same
