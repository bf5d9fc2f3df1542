"""Many users' item sequences as offsets over one flat array."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
    times : int64 array, shape [n_interactions], optional
        When each interaction happened, in seconds; None where nobody asked for it (``with_times``).
    asked_at : int64 array, shape [n_rows], optional
        When the next item of each row is asked for, in seconds. Only a model that is told the
        time of its targets (``query_time="known"``) is ever given it.
    """

    items: NDArray[np.int32]
    offsets: NDArray[np.int64]
    times: NDArray[np.int64] | None = None
    asked_at: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.offsets.ndim != 1 or self.offsets[0] != 0 or self.offsets[-1] != len(self.items):
            raise ValueError("offsets must start at 0 and end at the number of items")
        if self.times is not None and len(self.times) != len(self.items):
            raise ValueError("times must have one for every item")
        if self.asked_at is not None and len(self.asked_at) != len(self):
            raise ValueError("asked_at must have one for every row")

    @classmethod
    def from_lists(
        cls, rows: Iterable[Iterable[int]], times: Iterable[Iterable[int]] | None = None
    ) -> Sequences:
        """Pack one iterable of item ids per row, and one of their times where they are known.

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
        seen = None
        if times is not None:
            seen = np.array([second for row in times for second in row], np.int64)
        return cls(items.astype(np.int32), offsets, seen)

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
        asked_at = None if self.asked_at is None else self.asked_at[rows]
        return self.picked(source, offsets, asked_at)

    def followed_by(self, later: Sequences) -> Sequences:
        """Return these rows and behind them ``later``'s; times where both have them."""
        offsets = np.concatenate([self.offsets, later.offsets[1:] + self.offsets[-1]])
        items = np.concatenate([self.items, later.items])
        times, asked_at = (
            None if one is None or other is None else np.concatenate([one, other])
            for one, other in ((self.times, later.times), (self.asked_at, later.asked_at))
        )
        return Sequences(items, offsets, times, asked_at)

    def tail(self, length: int | NDArray[np.integer]) -> Sequences:
        """Return the newest ``length`` items of every row; an array says it row by row."""
        kept = np.minimum(self.lengths, length).astype(np.int64)
        offsets = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
        source = np.repeat(self.offsets[1:] - kept - offsets[:-1], kept) + np.arange(offsets[-1])
        return self.picked(source, offsets, self.asked_at)

    def picked(
        self,
        source: NDArray[np.int64],
        offsets: NDArray[np.int64],
        asked_at: NDArray[np.int64] | None = None,
    ) -> Sequences:
        """Return new rows of the interactions at ``source``, with their times where there are some.

        Parameters
        ----------
        source : int64 array, shape [n_picked], places in ``items``
        offsets : int64 array, shape [n_new_rows + 1]
        asked_at : int64 array, shape [n_new_rows], optional
        """
        times = None if self.times is None else self.times[source]
        return Sequences(self.items[source], offsets, times, asked_at)

    def asked(self, times: NDArray[np.int64]) -> Sequences:
        """Return the same rows, with the time at which the next item of each is asked for."""
        return Sequences(self.items, self.offsets, self.times, times)

    def padded(self, length: int | None = None) -> NDArray[np.int32]:
        """Newest ``length`` items of every row, right-padded with 0, shape [n_rows, length]."""
        rows = self if length is None else self.tail(length)
        return rows._padded(rows.items, length)

    def padded_times(self) -> NDArray[np.int64] | None:
        """Pad every row's times on the right with 0, shape [n_rows, longest]; None without."""
        return None if self.times is None else self._padded(self.times, None)

    def _padded(self, values: NDArray[Any], length: int | None) -> NDArray[Any]:
        width = int(self.lengths.max(initial=0)) if length is None else length
        out = np.zeros((len(self), width), values.dtype)
        out[self.keys()] = values
        return out
