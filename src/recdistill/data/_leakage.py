"""What a split lets a model see that it would not have known: in numbers and in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recdistill.data._splits import TEST, TRAIN, VAL

if TYPE_CHECKING:
    import pandas as pd
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
    for name, code in (("val", VAL), ("test", TEST)):
        figures = _figures(rows, code, has_timestamps)
        report[name] = figures
        sentences += _sentences(name, figures)
    if not has_timestamps:
        sentences.append(
            "The data has no timestamps: whether training rows lie after a target cannot be told."
        )
    report["sentences"] = sentences
    return report


def _figures(rows: pd.DataFrame, code: int, has_timestamps: bool) -> dict[str, Any]:
    user, item, order = (rows[c].to_numpy() for c in ("user", "item", "order"))
    part = rows["part"].to_numpy()
    trains = part == TRAIN
    at = np.flatnonzero((part == code) & rows["target"].to_numpy())
    n = len(at)
    n_items = int(item.max()) + 1
    trained = np.bincount(item[trains], minlength=n_items)
    out: dict[str, Any] = {
        "n_targets": n,
        "n_targets_never_in_training": int((trained[item[at]] == 0).sum()),
        "n_targets_in_own_history": _n_in_history(rows, at),
    }
    if has_timestamps:
        when = order[at]
        clock = np.sort(order[trains])
        later = len(clock) - np.searchsorted(clock, when, side="right")
        # Only other users' rows teach of the future; the user's own later ones are counted apart.
        own_last = np.full(int(user.max()) + 1, -np.inf)
        np.maximum.at(own_last, user[trains], order[trains])
        first_seen = np.full(n_items, np.inf)
        np.minimum.at(first_seen, item[trains], order[trains])
        seen = trained[item[at]] > 0
        previous = order[np.maximum(at - 1, 0)]
        tied = (at > 0) & (user[np.maximum(at - 1, 0)] == user[at]) & (previous == when)
        out |= {
            "n_targets_before_some_training": int((later > 0).sum()),
            "mean_share_of_training_later_than_target": float((later / max(len(clock), 1)).mean()),
            "n_targets_first_trained_later": int((seen & (first_seen[item[at]] > when)).sum()),
            "n_targets_before_own_training": int((own_last[user[at]] > when).sum()),
            "n_targets_tied_with_history": int(tied.sum()),
        }
    return out


def _n_in_history(rows: pd.DataFrame, at: NDArray[np.int64]) -> int:
    """Targets that the same user already had: the default protocol masks them away."""
    again = rows.duplicated(["user", "item"]).to_numpy()
    return int(again[at].sum())


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
