"""What a split lets a model see that it would not have known: in numbers and in sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recdistill.data._splits import TEST, TRAIN, VAL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recdistill.data._splits import Split


def leakage(split: Split, *, has_timestamps: bool) -> dict[str, Any]:
    """Report on both target sets.

    Returns
    -------
    dict
        ``val`` and ``test``, each with counts and shares of targets, and ``sentences``. Shares of
        time (``*_later_*``) are there only for data with timestamps.
    """
    rows = split.rows
    report: dict[str, Any] = {"rule": split.rule, "has_timestamps": has_timestamps}
    sentences = []
    trained = np.bincount(rows["item"][rows["part"] == TRAIN], minlength=rows["item"].max() + 1)
    times = _times(rows, trained) if has_timestamps else None
    for name, code in (("val", VAL), ("test", TEST)):
        figures = _figures(rows, code, trained, times)
        report[name] = figures
        sentences += _sentences(name, figures)
    if not has_timestamps:
        sentences.append(
            "The data has no timestamps: whether training rows lie after a target cannot be told."
        )
    report["sentences"] = sentences
    return report


def _figures(
    rows: pd.DataFrame, code: int, trained: NDArray[np.int64], times: _Times | None
) -> dict[str, Any]:
    user, item = rows["user"].to_numpy(), rows["item"].to_numpy()
    at = np.flatnonzero((rows["part"].to_numpy() == code) & rows["target"].to_numpy())
    out: dict[str, Any] = {
        "n_targets": len(at),
        "n_targets_never_in_training": int((trained[item[at]] == 0).sum()),
        "n_targets_in_own_history": _n_in_history(user, item, at),
    }
    if times is None:
        return out
    order = rows["order"].to_numpy()
    when = order[at]
    later = len(times.clock) - np.searchsorted(times.clock, when, side="right")
    # Only other users' rows teach of the future; the user's own later ones are counted apart.
    own = times.own_last[user[at]]
    own_later = (own >= 0) & (order[own] > when)
    first = times.first_seen[item[at]]
    previous = np.maximum(at - 1, 0)
    tied = (at > 0) & (user[previous] == user[at]) & (order[previous] == when)
    return out | {
        "n_targets_before_some_training": int((later > 0).sum()),
        "mean_share_of_training_later_than_target": float(
            (later / max(len(times.clock), 1)).mean()
        ),
        "n_targets_first_trained_later": int(((first >= 0) & (order[first] > when)).sum()),
        "n_targets_before_own_training": int(own_later.sum()),
        "n_targets_tied_with_history": int(tied.sum()),
    }


@dataclass(frozen=True)
class _Times:
    """When training happened.

    Attributes
    ----------
    clock : times of all training rows, sorted
    own_last : row of each user's last training row, or -1
    first_seen : row of each item's first training row, or -1
    """

    clock: NDArray[Any]
    own_last: NDArray[np.int64]
    first_seen: NDArray[np.int64]


def _times(rows: pd.DataFrame, trained: NDArray[np.int64]) -> _Times:
    """Read all from rows in order: the last of a user's run, the first of all that have an item."""
    user, item, order = (rows[c].to_numpy() for c in ("user", "item", "order"))
    trains = np.flatnonzero(rows["part"].to_numpy() == TRAIN)
    own_last = np.full(int(user.max()) + 1, -1)
    own_last[user[trains]] = trains  # rows are in time order within a user: the last one stays
    first_seen = np.full(len(trained), -1)
    # Written from the newest to the oldest, so that the oldest stays.
    by_time = trains[np.argsort(order[trains], kind="stable")]
    first_seen[item[by_time[::-1]]] = by_time[::-1]
    return _Times(order[by_time], own_last, first_seen)


def _n_in_history(
    user: NDArray[np.integer], item: NDArray[np.integer], at: NDArray[np.int64]
) -> int:
    """Targets that the same user already had: the default protocol masks them away."""
    n_users = int(user.max()) + 1
    if np.bincount(user[at], minlength=n_users).max(initial=0) > 1:
        key = user.astype(np.int64) * (int(item.max()) + 1) + item
        return int(pd.Series(key).duplicated().to_numpy()[at].sum())
    # One target a user: compare each row with it, instead of looking for all repeats.
    place = np.full(n_users, -1)
    place[user[at]] = at
    target_at = place[user]
    before = np.arange(len(user)) < target_at
    had = np.zeros(n_users, bool)
    had[user[before & (item == item[target_at])]] = True
    return int(had.sum())


def _sentences(name: str, f: dict[str, Any]) -> list[str]:
    n = f["n_targets"]

    def of(count: int) -> str:
        return f"{count} of {n} {name} targets ({count / n:.1%})"

    out = [
        f"{of(f['n_targets_never_in_training'])} are items that no training row has: a model that "
        "learns from ids alone cannot rank them.",
        f"{of(f['n_targets_in_own_history'])} are items that the user already had: with the "
        "history masked they can never be hit; the unmasked metrics count them.",
    ]
    if "n_targets_before_some_training" in f:
        share = f["mean_share_of_training_later_than_target"]
        out += [
            f"{of(f['n_targets_before_some_training'])} lie before some training row; on average "
            f"{share:.1%} of the training rows are later than the target, so training has seen the "
            "target's future (of other users).",
            f"{of(f['n_targets_first_trained_later'])} are items that training first sees "
            "after the target's own time.",
            f"{of(f['n_targets_before_own_training'])} lie before a training row of the same user.",
            f"{of(f['n_targets_tied_with_history'])} share their timestamp with the row before: "
            "which of the two is the target is decided by the order of the file.",
        ]
    return out
