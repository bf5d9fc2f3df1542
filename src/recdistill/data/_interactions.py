"""Rows as read -> users, items and rows in order, with every drop counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recdistill.data._drop_rules import (
    drop_disliked,
    drop_rare,
    drop_repeats,
    drop_single,
    drop_unknown_items,
)
from recdistill.data._item_numbers import number_items
from recdistill.data._order import by_user_and_time, renumbered
from recdistill.data._raw_ids import number_ids
from recdistill.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recdistill.data._catalog import Catalog
    from recdistill.data._config import DataConfig
    from recdistill.data._raw import Clock, Finding, RawData


@dataclass(frozen=True)
class Interactions:
    """Cleaned rows, sorted by user and then by time.

    Attributes
    ----------
    rows : DataFrame
        ``user`` (row of ``users``), ``item`` (catalog id), ``order``, and where known ``rating``
        and ``part``.
    users : object array of raw user ids
    catalog : Catalog
    has_timestamps : bool
    share_tied : share of the rows read that have user and timestamp in common with another, or None
    """

    rows: pd.DataFrame
    users: NDArray[np.object_]
    catalog: Catalog
    has_timestamps: bool
    share_tied: float | None = None
    clock: Clock = "number"


def clean(
    raw: RawData, config: DataConfig, known: Catalog | None = None
) -> tuple[Interactions, list[Finding]]:
    """Give users and items numbers, drop what the stated rules drop, and put rows in order.

    The catalog is made here, before users are sampled and before the split: ``max_users`` and
    ``split`` never change it, so a model of a sample can be loaded on the whole. ``known`` is the
    catalog that is to grow: its items keep their ids, and stay also where no row of theirs is left.
    """
    findings = list(raw.findings)
    user, users = number_ids(raw.interactions["user"])
    item, raw_items = number_ids(raw.interactions["item"])
    rows = _in_order(raw.interactions, user, item, len(users))
    tied = _share_tied(rows) if raw.has_timestamps else None
    rows = drop_disliked(rows, config, findings)
    rows = drop_unknown_items(rows, raw_items, raw.items, config, findings)
    rows = drop_repeats(rows, config, findings)
    rows = drop_rare(rows, config.min_interactions, findings)
    rows = drop_single(rows, users, findings)
    if rows.empty:
        why = " ".join(f.sentence for f in findings if f.action == "dropped")
        raise UserError(f"{config.dataset} has no interactions left after cleaning: {why}")
    kept_items = np.bincount(rows["item"], minlength=len(raw_items)) > 0
    kept_users = np.bincount(rows["user"], minlength=len(users)) > 0
    if 0 < config.max_users < kept_users.sum():
        drawn = np.random.default_rng(config.seed).choice(
            np.flatnonzero(kept_users), config.max_users, replace=False
        )
        kept_users = np.isin(np.arange(len(users)), drawn)
        rows = rows[kept_users[rows["user"]]]
    number, catalog = number_items(raw_items, kept_items, known, raw.items, config, findings)
    rows = rows.assign(
        user=renumbered(rows["user"].to_numpy(), kept_users), item=number[rows["item"]]
    )
    names = np.array([str(u) for u in users[kept_users]], dtype=object)
    rows = rows.reset_index(drop=True)
    return Interactions(rows, names, catalog, raw.has_timestamps, tied, raw.clock), findings


def _in_order(
    raw: pd.DataFrame, user: NDArray[np.int32], item: NDArray[np.int32], n_users: int
) -> pd.DataFrame:
    """Rows by user, in a given split by part, and by time; ties keep the file's order."""
    order = raw["order"].to_numpy()
    columns = {"user": user, "item": item, "order": order}
    columns |= {key: raw[key].to_numpy() for key in ("rating", "part") if key in raw}
    places = (
        np.lexsort([order, columns["part"], user])
        if "part" in columns
        else by_user_and_time(user, order, n_users)
    )
    if places is not None:
        columns = {key: values[places] for key, values in columns.items()}
    return pd.DataFrame(columns, copy=False)


def _share_tied(rows: pd.DataFrame) -> float:
    """Share of rows that have their user's time in common with another row."""
    if "part" in rows:
        return float(np.mean(rows.duplicated(["user", "order"], keep=False)))
    user, order = rows["user"].to_numpy(), rows["order"].to_numpy()
    with_next = np.zeros(len(rows) + 1, bool)
    with_next[1:-1] = (user[1:] == user[:-1]) & (order[1:] == order[:-1])
    return float(np.mean(with_next[1:] | with_next[:-1]))
