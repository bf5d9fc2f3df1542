"""Many users' item sequences as offsets over one flat array."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Sequences:
    """Item sequences, oldest first, without padding.

    Row ``i`` holds ``items[offsets[i]:offsets[i + 1]]``. Ids are the catalog's, ``1..n_items``;
    0 is padding and never appears here.

    Attributes
    ----------
    items : int32 array, shape [n_interactions]
    offsets : int64 array, shape [n_rows + 1], starting at 0 and never decreasing
    """

    items: NDArray[np.int32]
    offsets: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.offsets.ndim != 1 or self.offsets[0] != 0 or self.offsets[-1] != len(self.items):
            raise ValueError("offsets must start at 0 and end at the number of items")

    @classmethod
    def from_lists(cls, rows: Iterable[Iterable[int]]) -> Sequences:
        """Pack one iterable of item ids per row.

        Examples
        --------
        >>> s = Sequences.from_lists([[3, 1], [], [2]])
        >>> len(s), s.lengths.tolist(), s.row(0).tolist()
        (3, [2, 0, 1], [3, 1])
        """
        arrays = [np.fromiter(row, dtype=np.int32) for row in rows]
        lengths = np.array([len(a) for a in arrays], dtype=np.int64)
        items = np.concatenate(arrays) if arrays else np.zeros(0, np.int32)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return cls(items.astype(np.int32), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of items in each row, shape [n_rows]."""
        return np.diff(self.offsets)

    def row(self, index: int) -> NDArray[np.int32]:
        """Items of one row, oldest first; a view, not a copy."""
        return self.items[self.offsets[index] : self.offsets[index + 1]]

    def keys(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Row and position within the row of every item, both of shape [n_interactions].

        In ``PreparedData.train`` this is the (user, position) key of teacher tables.
        """
        rows = np.repeat(np.arange(len(self)), self.lengths)
        return rows, np.arange(len(self.items)) - self.offsets[rows]

    def take(self, rows: NDArray[np.integer]) -> Sequences:
        """Return these rows, in this order, without a Python loop over them."""
        lengths = self.lengths[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        # Each output element sits at its row's start plus its distance from the output row's start.
        source = np.repeat(self.offsets[rows] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return Sequences(self.items[source], offsets)

    def followed_by(self, later: Sequences) -> Sequences:
        """Return these rows and behind them ``later``'s."""
        offsets = np.concatenate([self.offsets, later.offsets[1:] + self.offsets[-1]])
        return Sequences(np.concatenate([self.items, later.items]), offsets)

    def tail(self, length: int | NDArray[np.integer]) -> Sequences:
        """Return the newest ``length`` items of every row; an array says it row by row."""
        kept = np.minimum(self.lengths, length).astype(np.int64)
        offsets = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
        source = np.repeat(self.offsets[1:] - kept - offsets[:-1], kept) + np.arange(offsets[-1])
        return Sequences(self.items[source], offsets)

    def padded(self, length: int | None = None) -> NDArray[np.int32]:
        """Newest ``length`` items of every row, right-padded with 0, shape [n_rows, length]."""
        rows = self if length is None else self.tail(length)
        width = int(rows.lengths.max(initial=0)) if length is None else length
        out = np.zeros((len(rows), width), np.int32)
        out[rows.keys()] = rows.items
        return out
