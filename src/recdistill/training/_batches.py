"""Length-bucketed batches cut straight from the flat array, without a loop over samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from recdistill.students import Times

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from recdistill.data import Sequences


@dataclass
class Batch:
    """Windows of similar length, right-padded with 0.

    Attributes
    ----------
    items, targets : int tensors, shape [batch, length]
        ``targets[b, t]`` is the item that followed ``items[b, t]``.
    rows : int64 tensor, shape [batch]
        Row of each window in the training sequences (its user).
    starts : int64 tensor, shape [batch]
        Position of each window's first item in its row.
    share : float
        Factor on the mean loss, where ranks share a batch out; see ``ranks.share_of``.
    times : Times, optional
        Of the items and of their targets, where the sequences have times.
    """

    items: Tensor
    targets: Tensor
    rows: Tensor
    starts: Tensor
    share: float = 1.0
    times: Times | None = None

    def to(self, device: torch.device) -> Batch:
        """Return the batch on ``device``."""
        names = ("items", "targets", "rows", "starts")
        moved = {name: getattr(self, name).to(device) for name in names}
        return replace(self, **moved, times=self.times and self.times.to(device))

    def target_keys(self) -> tuple[Tensor, Tensor]:
        """Return row and position of every real target, in the order the losses see them.

        Returns
        -------
        rows, positions : int64 tensors, shape [n_targets]
            ``(rows[i], positions[i])`` keys target ``i``: position ``p`` is the p-th item (from 0)
            of the user's whole history.
        """
        window, offset = (self.targets > 0).nonzero(as_tuple=True)
        return self.rows[window], self.starts[window] + offset + 1


class WindowSampler(Sampler[NDArray[np.int64]]):
    """Cut every row into windows and group windows of similar length into batches.

    A row longer than ``max_length`` is cut into consecutive windows; where the cuts fall is drawn
    anew every epoch, so every target trains exactly once per epoch and meets a different context
    each time. Windows, batches and their order depend on ``(seed, epoch)`` alone: a resumed run
    sees what an uninterrupted one would have seen.

    Parameters
    ----------
    lengths : int64 array, shape [n_rows]
        Items per row; a row of fewer than two has no target and gives no window.
    max_length : int
    tokens : int
        Upper bound on windows times length of a batch.
    seed : int
    """

    def __init__(
        self, lengths: NDArray[np.int64], *, max_length: int, tokens: int, seed: int
    ) -> None:
        self.n_targets = np.maximum(lengths - 1, 0)
        self.max_length, self.tokens, self.seed, self.epoch = max_length, tokens, seed, 0
        self._planned: tuple[int, list[NDArray[np.int64]]] | None = None

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch to draw for; Lightning calls this."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        """Yield one array of windows per batch: columns row, start, number of targets."""
        # A generator, so that the epoch counts that is set when the first batch is drawn.
        yield from self._plan()

    def __len__(self) -> int:
        return len(self._plan())

    def _plan(self) -> list[NDArray[np.int64]]:
        if self._planned is None or self._planned[0] != self.epoch:
            self._planned = (self.epoch, self._draw(np.random.default_rng((self.seed, self.epoch))))
        return self._planned[1]

    def _draw(self, random: np.random.Generator) -> list[NDArray[np.int64]]:
        windows = self._windows(random)
        order = np.lexsort((random.random(len(windows)), windows[:, 2]))
        windows = windows[order]
        # Walking down from the longest, a batch is as many windows as its longest one allows.
        batches, stop = [], len(windows)
        while stop > 0:
            start = max(0, stop - max(1, self.tokens // int(windows[stop - 1, 2])))
            batches.append(windows[start:stop])
            stop = start
        return [batches[i] for i in random.permutation(len(batches))]

    def _windows(self, random: np.random.Generator) -> NDArray[np.int64]:
        long = self.n_targets > self.max_length
        # A first window of random length shifts all the cuts of its row.
        first = np.where(long, random.integers(1, self.max_length + 1, len(long)), self.n_targets)
        rest = self.n_targets - first
        n_windows = (self.n_targets > 0) + -(-rest // self.max_length)
        rows = np.repeat(np.arange(len(long)), n_windows)
        index = np.arange(len(rows)) - np.repeat(np.cumsum(n_windows) - n_windows, n_windows)
        starts = np.where(index == 0, 0, first[rows] + (index - 1) * self.max_length)
        stops = np.minimum(first[rows] + index * self.max_length, self.n_targets[rows])
        return np.stack([rows, starts, stops - starts], axis=1)


class WindowDataset(Dataset[Batch]):
    """Turns a sampler's array of windows into a batch.

    Parameters
    ----------
    sequences : Sequences
    """

    def __init__(self, sequences: Sequences) -> None:
        self.items = torch.from_numpy(sequences.items)
        self.offsets = sequences.offsets
        times = sequences.times
        self.times = None if times is None else torch.from_numpy(times)

    def __getitem__(self, windows: NDArray[np.int64]) -> Batch:
        row, start, length = windows.T
        column = np.arange(length.max())
        at = torch.from_numpy((self.offsets[row] + start)[:, None] + column)  # [batch, length]
        padding = torch.from_numpy(column >= length[:, None])
        # Beyond a row's end the index may leave the array; those cells are padding anyway.
        at = at.clamp_(max=len(self.items) - 2)
        items = self.items[at].masked_fill_(padding, 0)
        targets = self.items[at + 1].masked_fill_(padding, 0)
        batch = Batch(items, targets, torch.from_numpy(row), torch.from_numpy(start))
        if self.times is not None:
            # A target is asked for when it happens; what stands at padding is read by nobody.
            batch.times = Times(self.times[at], self.times[at + 1])
        return batch


def window_loader(
    sequences: Sequences, *, max_length: int, tokens: int, seed: int
) -> DataLoader[Batch]:
    """Return the training batches of ``sequences`` as a loader whose items are batches."""
    sampler = WindowSampler(sequences.lengths, max_length=max_length, tokens=tokens, seed=seed)
    return DataLoader(WindowDataset(sequences), sampler=sampler, batch_size=None)
