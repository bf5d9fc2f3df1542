"""Rules that cut interactions into train, val and test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
import pandas as pd

from recdistill.data._cold_items import cold_items
from recdistill.data._config import parse_day
from recdistill.data._days import day_name, days_of
from recdistill.data._order import renumbered, starts_of
from recdistill.data._prepared import Cases
from recdistill.data._raw import Finding, first_few
from recdistill.data._sequences import Sequences
from recdistill.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recdistill.data._config import DataConfig
    from recdistill.data._interactions import Interactions
    from recdistill.data._split_config import Targets

TRAIN, VAL, TEST = 0, 1, 2


@dataclass(frozen=True)
class Split:
    """Rows with the part each belongs to.

    Attributes
    ----------
    rows : DataFrame
        ``user``, ``item``, ``order``, ``part`` (0 train, 1 val, 2 test) and ``target`` (bool), by
        user; within a user train comes first, then val, then test, each in order. A row of val or
        test that is no target is history to the targets after it and is never trained on.
    users : object array of raw user ids
    rule : str
        The rule in words.
    findings : list of Finding
    """

    rows: pd.DataFrame
    users: NDArray[np.object_]
    rule: str
    findings: list[Finding]


def split(data: Interactions, config: DataConfig) -> Split:
    """Cut by the rule that the settings name.

    Raises
    ------
    UserError
        When the data cannot support the rule, or a part is left empty.
    """
    rule = {
        "leave_one_out": _leave_one_out,
        "global_temporal": _global_temporal,
        "rolling": _rolling,
        "cold_items": cold_items,
        "given": _given,
    }[config.split]
    rows, sentence, findings = rule(data, config)
    # A target needs something to be predicted from.
    bare = rows["target"].to_numpy() & starts_of(rows["user"].to_numpy())
    if bare.any():
        said = f"{int(bare.sum())} targets have no history: kept as history, not scored."
        findings.append(Finding("targets_without_history", int(bare.sum()), "kept", said))
        rows = rows.assign(target=rows["target"] & ~bare)
    rows, users = _useful(rows, data.users, findings)
    parts = rows["part"].to_numpy()
    targets = rows["target"].to_numpy()
    for code, part in ((VAL, "validation"), (TEST, "test")):
        if not ((parts == code) & targets).any():
            raise UserError(
                f"{config.dataset} gives no {part} case by split={config.split} ({sentence}) Use "
                "more data, or another split."
            )
    if not (parts == TRAIN).any():
        raise UserError(
            f"{config.dataset} leaves nothing to train on by split={config.split}: use more data, "
            "or another split."
        )
    return Split(rows, users, sentence, findings)


_Cut = tuple[pd.DataFrame, str, list[Finding]]


def _leave_one_out(data: Interactions, config: DataConfig) -> _Cut:
    counts = np.bincount(data.rows["user"], minlength=len(data.users))
    ends = np.cumsum(counts)[counts >= 3]
    part = np.zeros(len(data.rows), np.int8)
    part[ends - 1] = TEST
    part[ends - 2] = VAL
    findings = []
    short = int((counts == 2).sum())
    if short:
        said = f"{short} users have two interactions: kept for training, they give no case."
        findings.append(Finding("two_item_users", short, "kept", said))
    rule = (
        "leave_one_out: each user's last item is the test target, the one before it the validation "
        "target, and the rest trains; a user with two items only trains."
    )
    rows = data.rows.drop(columns="part", errors="ignore")
    return rows.assign(part=part, target=part != TRAIN), rule, findings


def _global_temporal(data: Interactions, config: DataConfig) -> _Cut:
    if not data.has_timestamps:
        raise UserError(
            f"split=global_temporal cuts all users at the same moment, and {config.dataset} has no "
            "timestamps: use split=leave_one_out."
        )
    order = data.rows["order"].to_numpy()
    share = config.temporal
    clock = np.sort(order)
    n = len(clock)
    val_cut = clock[min(n - 1, round(n * (1 - share.val_share - share.test_share)))]
    test_cut = clock[min(n - 1, round(n * (1 - share.test_share)))]
    part = np.where(order >= test_cut, TEST, np.where(order >= val_cut, VAL, TRAIN)).astype(np.int8)
    rows = data.rows.drop(columns="part", errors="ignore").assign(part=part)
    rows, findings = _targets_in_windows(rows, share.targets)
    said = {
        "first": f"a user's first item from {val_cut} on and before {test_cut} is the validation "
        f"target, the first from {test_cut} on the test target; later validation items are history "
        "for the test target only, and items after the test target are dropped.",
        "last": f"a user's last item from {val_cut} on and before {test_cut} is the validation "
        f"target, the last from {test_cut} on the test target; earlier items of a window are "
        "history that is never trained on.",
        "all": f"all items from {val_cut} on and before {test_cut} are validation targets, all "
        f"from {test_cut} on test targets, each predicted from everything of its user before it. "
        "A user gives several cases; intervals and tests are over users.",
    }[share.targets]
    rule = (
        f"global_temporal: interactions before {val_cut} train; {said} The cuts leave "
        f"{share.val_share:g} and {share.test_share:g} of the interactions to the two windows."
    )
    return rows, rule, findings


def _rolling(data: Interactions, config: DataConfig) -> _Cut:
    if not data.has_timestamps:
        raise UserError(
            f"split=rolling cuts at midnight, and {config.dataset} has no timestamps: use "
            "split=leave_one_out."
        )
    asked = config.rolling
    day = days_of(data.rows["order"].to_numpy(), data.clock)
    end = parse_day(config.until, "until") if config.until else int(day.max()) + 1
    test_from, val_from = end - asked.days, end - 2 * asked.days
    # By name, so that a user stays on the same side while the log grows.
    drawn = np.array([crc32(name.encode()) for name in data.users]) < asked.val_users * 2**32
    validates = (day >= val_from) & drawn[data.rows["user"].to_numpy()]
    part = np.where(day >= test_from, TEST, np.where(validates, VAL, TRAIN)).astype(np.int8)
    rows = data.rows.drop(columns="part", errors="ignore").assign(part=part)
    rows, findings = _targets_in_windows(rows, asked.targets)
    of = {"first": "first item", "last": "last item", "all": "items, each of them,"}[asked.targets]
    held = "everybody's" if asked.val_users == 1 else f"{asked.val_users:.0%} of the users'"
    rule = (
        f"rolling: the {asked.days} days from {day_name(test_from)} on are tested (UTC), a user's "
        f"{of} there being the target; {held} rows of the {asked.days} days before are held out "
        f"and validate in the same way, and everything else before {day_name(test_from)} trains."
    )
    return rows, rule, findings


def _targets_in_windows(rows: pd.DataFrame, targets: Targets) -> tuple[pd.DataFrame, list[Finding]]:
    """Mark targets among rows that are in time order within their user."""
    part = rows["part"].to_numpy()
    if targets == "all":
        return rows.assign(target=part != TRAIN), []
    # The first of (user, part) is the first after the cut.
    chosen = ~rows.duplicated(["user", "part"], keep=targets).to_numpy()
    late = (part == TEST) & ~chosen & (targets == "first")
    rows = rows.assign(target=chosen & (part != TRAIN))[~late].reset_index(drop=True)
    if not late.any():
        return rows, []
    said = f"{int(late.sum())} interactions lie after a user's test target: dropped."
    return rows, [Finding("after_test_target", int(late.sum()), "dropped", said)]


def _given(data: Interactions, config: DataConfig) -> _Cut:
    if "part" not in data.rows:
        raise UserError(
            f"split=given needs train_file, val_file and test_file; {config.dataset} brings no "
            "split of its own."
        )
    last = ~data.rows.duplicated(["user", "part"], keep="last").to_numpy()
    part = data.rows["part"].to_numpy(np.int8)
    rule = (
        "given: the files' own split; a user's last row in val and in test is the target, earlier "
        "rows there are history that is never trained on."
    )
    return data.rows.assign(part=part, target=last & (part != TRAIN)), rule, []


def _useful(
    rows: pd.DataFrame, users: NDArray[np.object_], findings: list[Finding]
) -> tuple[pd.DataFrame, NDArray[np.object_]]:
    """Drop users that neither train nor give a case; number the others anew."""
    helps = (rows["part"] == TRAIN).to_numpy() | rows["target"].to_numpy()
    keep = np.bincount(rows["user"].to_numpy()[helps], minlength=len(users)) > 0
    gone = np.flatnonzero(~keep)
    if not len(gone):
        return rows, users
    said = (
        f"{len(gone)} users appear only after the cut, without history (users "
        f"{first_few(list(users[gone]))}): dropped."
    )
    findings.append(Finding("users_without_history", len(gone), "dropped", said))
    rows = rows[keep[rows["user"]]]
    user = renumbered(rows["user"].to_numpy(), keep)
    return rows.assign(user=user).reset_index(drop=True), users[keep]


def packed(items: NDArray[np.int32], users: NDArray[np.integer], n_users: int) -> Sequences:
    """Sequences of items that are already sorted by user."""
    offsets = np.concatenate([[0], np.cumsum(np.bincount(users, minlength=n_users))])
    return Sequences(np.ascontiguousarray(items, np.int32), offsets.astype(np.int64))


def parts_of(rows: pd.DataFrame, n_users: int) -> tuple[Sequences, Cases, Cases]:
    """Training sequences, validation cases and test cases of split rows."""
    user = rows["user"].to_numpy()
    item = rows["item"].to_numpy(np.int32)
    part = rows["part"].to_numpy()
    target = rows["target"].to_numpy(bool)
    whole = packed(item, user, n_users)
    train = packed(item[part == TRAIN], user[part == TRAIN], n_users)
    cases = []
    for which in (VAL, TEST):
        at = np.flatnonzero((part == which) & target)
        start = whole.offsets[user[at]]
        lengths = at - start
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        # The history of a case is everything of its user up to the target's own row.
        source = np.repeat(start - offsets[:-1], lengths) + np.arange(offsets[-1])
        cases.append(Cases(user[at].astype(np.int64), Sequences(item[source], offsets), item[at]))
    return train, cases[0], cases[1]
