"""The rules by which rows are dropped; each says how many it dropped, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recdistill.data._raw import Finding, first_few
from recdistill.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recdistill.data._config import DataConfig


def drop_unknown_items(
    rows: pd.DataFrame,
    ids: pd.Index,
    items: pd.DataFrame | None,
    config: DataConfig,
    findings: list[Finding],
) -> pd.DataFrame:
    """Treat interactions with items that the item file does not list."""
    if items is None:
        return rows
    unknown = ~ids.astype("str").isin(items["raw_id"])
    of_unknown = unknown[rows["item"]]
    n = int(of_unknown.sum())
    if not n:
        return rows
    shown = first_few(list(ids[unknown].astype("str")))
    said = (
        f"{n} interactions are with {int(unknown.sum())} items that the item file lacks ({shown})"
    )
    if config.cleaning.unknown_items == "refuse":
        raise UserError(
            f"{said}: add them to the item file, or set cleaning.unknown_items to keep or drop."
        )
    if config.cleaning.unknown_items == "drop":
        findings.append(Finding("unknown_items", n, "dropped", f"{said}: dropped."))
        return rows.loc[~of_unknown]
    findings.append(Finding("unknown_items", n, "kept", f"{said}: kept, titled 'Item <id>'."))
    return rows


def drop_disliked(rows: pd.DataFrame, config: DataConfig, findings: list[Finding]) -> pd.DataFrame:
    """Drop interactions that were rated lower than what counts as liked."""
    least = config.cleaning.min_rating
    if least is None:
        return rows
    if "rating" not in rows:
        raise UserError(
            f"{config.dataset} has no ratings, so cleaning.min_rating={least:g} cannot be applied: "
            "name the column in columns.rating, or leave min_rating out."
        )
    low = rows["rating"].to_numpy() < least
    if n := int(low.sum()):
        said = f"{n} interactions are rated below {least:g} (cleaning.min_rating): dropped."
        findings.append(Finding("low_ratings", n, "dropped", said))
    return rows[~low]


def drop_repeats(rows: pd.DataFrame, config: DataConfig, findings: list[Finding]) -> pd.DataFrame:
    """Treat interactions with an item that the user had before."""
    # One number for (user, item): half the memory of two columns, and one pass less.
    key = rows["user"].to_numpy(np.int64) * (int(rows["item"].to_numpy().max(initial=0)) + 1)
    again = pd.Series(key + rows["item"].to_numpy()).duplicated().to_numpy()
    n = int(again.sum())
    if not n:
        return rows
    said = f"{n} interactions repeat an item that the user had before"
    if config.cleaning.repeats == "first":
        findings.append(Finding("repeats", n, "dropped", f"{said}: dropped, the first is kept."))
        return rows[~again]
    findings.append(Finding("repeats", n, "kept", f"{said}: kept (cleaning.repeats=first drops)."))
    return rows


def drop_rare(rows: pd.DataFrame, least: int, findings: list[Finding]) -> pd.DataFrame:
    """Drop items and users with fewer than ``least`` interactions until none is left."""
    before = rows
    n = -1
    while least > 1 and len(rows) != n:
        n = len(rows)
        for key in ("item", "user"):
            rows = rows.loc[np.bincount(rows[key], minlength=1)[rows[key]] >= least]
    for key in ("item", "user"):
        gone = before[key].nunique() - rows[key].nunique()
        if gone:
            sentence = (
                f"{gone} {key}s were left with fewer than {least} interactions (min_interactions): "
                "dropped, in turns until every item and every user has that many."
            )
            findings.append(Finding(f"rare_{key}s", gone, "dropped", sentence))
    gone = len(before) - len(rows)
    if gone:
        sentence = f"{gone} interactions of rare users or items went with them."
        findings.append(Finding("rare_interactions", gone, "dropped", sentence))
    return rows


def drop_single(rows: pd.DataFrame, users: pd.Index, findings: list[Finding]) -> pd.DataFrame:
    """Drop users with one interaction: no history to predict it from, nothing to predict."""
    counts = np.bincount(rows["user"], minlength=len(users))
    single = np.flatnonzero(counts == 1)
    if not len(single):
        return rows
    sentence = (
        f"{len(single)} users have a single interaction (users "
        f"{first_few([str(u) for u in users[single]])}): dropped, for there is nothing to predict "
        "it from."
    )
    findings.append(Finding("one_item_users", len(single), "dropped", sentence))
    enough: NDArray[np.bool_] = counts[rows["user"]] != 1
    return rows[enough]
