"""Histories for students under test, with times for those that read some."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import pad

from recdistill.data import Sequences
from recdistill.students import Times, encode_at, times_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recdistill.students import SequentialModel

# Gaps from none to months between two items, the same for all rows: an item's time is that of its
# place, so a longer history is a shorter one with something behind it.
_LONGEST = 5_000
_GAPS = np.floor(10 ** np.random.default_rng(0).uniform(-1, 7, _LONGEST)).astype(np.int64)
_CLOCK = 1_000_000_000 + np.cumsum(_GAPS)


def histories(model: SequentialModel, rows: Sequence[Sequence[int]]) -> Sequences:
    """Fit any numbers into the student's ids, with as much of the time as it may know."""
    ids = [[(one - 1) % model.n_items + 1 for one in row] for row in rows]
    if model.query_time == "none":
        return Sequences.from_lists(ids)
    timed = Sequences.from_lists(ids, [_CLOCK[: len(row)].tolist() for row in ids])
    return timed.asked(_CLOCK[timed.lengths]) if model.query_time == "known" else timed


def stretch(one: Sequences, start: int, stop: int) -> Sequences:
    """Cut a stretch out of a single history, which ends when its next item happens."""
    asked_at = one.asked_at
    if asked_at is not None and one.times is not None and stop < len(one.items):
        asked_at = one.times[stop : stop + 1]
    return one.picked(np.arange(start, stop), np.array([0, stop - start]), asked_at)


def states(model: SequentialModel, few: Sequences, padding: int = 0) -> torch.Tensor:
    """Return all states of histories that the student reads whole, [n_rows, length, dim]."""
    items = pad(torch.from_numpy(few.padded()).long(), (0, padding))
    times = times_of(model, few)
    if times is not None:
        asked = None if times.asked is None else pad(times.asked, (0, padding))
        times = Times(pad(times.seen, (0, padding)), asked)
    return encode_at(model, items, times)
