"""What one training step reads: windows of histories, batched by a budget of tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import Dataset

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recdistill.data import Sequences
    from recdistill.teachers._training_settings import Coverage


@dataclass(frozen=True)
class Windows:
    """Stretches of users' histories, each scored in one forward.

    A window over ``items[first:last]`` of a user reads all its items but the newest and is asked
    for positions ``first_target .. last - 1`` of the user's history, each from the items of the
    window before it.

    Attributes
    ----------
    rows, first, last, first_target : int64 arrays, shape [n_windows]
    """

    rows: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    first_target: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def n_read(self) -> NDArray[np.int64]:
        """Items each window feeds to the model."""
        return self.last - self.first - 1

    @property
    def n_targets(self) -> NDArray[np.int64]:
        """Positions each window is asked for."""
        return self.last - self.first_target

    def take(self, index: NDArray[np.int64]) -> Windows:
        """Return these windows, in this order."""
        return Windows(
            self.rows[index], self.first[index], self.last[index], self.first_target[index]
        )


def training_windows(histories: Sequences, length: int, coverage: Coverage) -> Windows:
    """Cut training windows of ``length`` read items.

    ``newest`` takes every user's newest window: on long histories a fraction of the cost, and the
    part that resembles what is asked at test time. ``all`` cuts whole histories into windows that
    ask for every position once. A window at the very start of a history is also asked for the
    first item, from the instruction alone; elsewhere there are items before it.
    """
    rows, last = [], []
    for row, n in enumerate(histories.lengths.tolist()):
        ends = list(range(n, 0, -length)) if coverage == "all" else [n]
        ends = [end for end in ends if end > 1]
        rows += [row] * len(ends)
        last += ends
    last_ = np.array(last, np.int64)
    first = np.maximum(last_ - length - 1, 0)
    return Windows(np.array(rows, np.int64), first, last_, first + (first > 0))


def export_windows(histories: Sequences, length: int) -> Windows:
    """Cut windows that together ask for every position but 0 exactly once.

    Histories of up to ``length`` read items take one window, so one forward gives all their
    positions. Longer ones take windows that overlap by half, so every position after the first
    window still has at least ``length // 2`` items of context.
    """
    rows, last, target = [], [], []
    stride = max(length // 2, 1)
    for row, n in enumerate(histories.lengths.tolist()):
        asked = 1
        while asked < n:
            end = min(length + 1, n) if asked == 1 else min(asked + stride, n)
            rows.append(row)
            last.append(end)
            target.append(asked)
            asked = end
    last_ = np.array(last, np.int64)
    first = np.maximum(last_ - length - 1, 0)
    return Windows(np.array(rows, np.int64), first, last_, np.array(target, np.int64))


@dataclass
class Batch:
    """Windows as tensors.

    Attributes
    ----------
    items : int64, shape [batch, length], right-padded with 0
    targets : int64, shape [batch, length + 1]
        Item to be scored after 0, 1, ... items of the window; 0 where nothing is asked.
    share : float
        Factor on the mean loss, where ranks share a batch out; see ``ranks.share_of``.
    """

    items: torch.Tensor
    targets: torch.Tensor
    share: float = 1.0

    def __len__(self) -> int:
        return len(self.items)

    def to(self, device: torch.device | str) -> Batch:
        """Move to a device."""
        return Batch(self.items.to(device), self.targets.to(device), self.share)

    def split(self, n_parts: int) -> list[Batch]:
        """Cut into at most ``n_parts`` micro-batches of whole windows."""
        pairs = zip(self.items.chunk(n_parts), self.targets.chunk(n_parts), strict=True)
        return [Batch(items, targets, self.share) for items, targets in pairs]


def make_batch(histories: Sequences, windows: Windows) -> Batch:
    """Read windows from the histories they were cut from, without a loop over them."""
    spans = window_histories(histories, windows)
    length = int(windows.n_read.max())
    whole = torch.from_numpy(spans.padded(length + 1)).long()  # [batch, length + 1]
    items = whole[:, :length].clone()
    step = torch.arange(length + 1)
    # The newest item of a window is asked for, not read.
    items[step[:length] >= torch.from_numpy(windows.n_read)[:, None]] = 0
    targets = whole * (step >= torch.from_numpy(windows.first_target - windows.first)[:, None])
    return Batch(items, targets)


def window_histories(histories: Sequences, windows: Windows) -> Sequences:
    """Return every window's items, the newest included, one row per window."""
    from recdistill.data import Sequences

    lengths = windows.last - windows.first
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    begin = histories.offsets[windows.rows] + windows.first
    source = np.repeat(begin - offsets[:-1], lengths) + np.arange(offsets[-1])
    return Sequences(histories.items[source], offsets)


class WindowBatches(Dataset[Batch]):
    """Turns the sampler's array of window numbers into a batch."""

    def __init__(self, histories: Sequences, windows: Windows) -> None:
        self.histories, self.windows = histories, windows

    def __getitem__(self, index: NDArray[np.int64]) -> Batch:
        return make_batch(self.histories, self.windows.take(index))
