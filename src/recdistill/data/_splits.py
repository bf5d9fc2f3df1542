"""Rules that cut interactions into train, val and test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recdistill.data._prepared import Cases
from recdistill.data._sequences import Sequences

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from recdistill.data._interactions import Interactions

TRAIN, VAL, TEST = 0, 1, 2


@dataclass(frozen=True)
class Split:
    """Rows with the part each belongs to.

    Attributes
    ----------
    rows : DataFrame
        ``user``, ``item``, ``order``, ``part`` (0 train, 1 val, 2 test) and ``target`` (bool), by
        user; within a user train comes first, then val, then test, each in order.
    rule : str
        The rule in words.
    """

    rows: pd.DataFrame
    rule: str


def leave_one_out(data: Interactions) -> Split:
    """Each user's last item is the test target, the one before it the validation target."""
    rows = data.rows
    counts = np.bincount(rows["user"], minlength=len(data.users))
    ends = np.cumsum(counts)
    part = np.zeros(len(rows), np.int8)
    full = counts >= 3
    part[ends[full] - 1] = TEST
    part[ends[full] - 2] = VAL
    rows = rows.assign(part=part, target=part != TRAIN)
    rule = (
        "leave_one_out: each user's last item is the test target, the one before it the validation "
        "target, the rest trains; a user with two items only trains."
    )
    return Split(rows, rule)


def sequences_of(items: NDArray[np.int32], users: NDArray[np.int64], n_users: int) -> Sequences:
    """Pack items that are already sorted by user."""
    counts = np.bincount(users, minlength=n_users)
    return Sequences(
        np.ascontiguousarray(items, dtype=np.int32),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    )


def parts_of(rows: pd.DataFrame, n_users: int) -> tuple[Sequences, Cases, Cases]:
    """Training sequences, validation cases and test cases of split rows."""
    user = rows["user"].to_numpy(np.int64)
    item = rows["item"].to_numpy(np.int32)
    part = rows["part"].to_numpy()
    target = rows["target"].to_numpy(bool)
    whole = sequences_of(item, user, n_users)
    train = sequences_of(item[part == TRAIN], user[part == TRAIN], n_users)
    cases = []
    for which in (VAL, TEST):
        at = np.flatnonzero((part == which) & target)
        start = whole.offsets[user[at]]
        lengths = at - start
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        source = np.repeat(start - offsets[:-1], lengths) + np.arange(offsets[-1])
        cases.append(Cases(user[at], Sequences(item[source], offsets), item[at]))
    return train, cases[0], cases[1]
