"""Rows as read -> users, items and rows in order, with every drop counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recdistill.data._catalog import Catalog
from recdistill.data._raw import Finding, first_few
from recdistill.data._titles import text_of
from recdistill.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recdistill.data._config import DataConfig
    from recdistill.data._raw import RawData


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
    order_rule : str
    """

    rows: pd.DataFrame
    users: NDArray[np.object_]
    catalog: Catalog
    has_timestamps: bool
    order_rule: str


def _codes(values: pd.Series) -> tuple[NDArray[np.int64], pd.Index]:
    """Number distinct ids in their natural order: 2 before 10, whatever the order of the rows."""
    codes, found = pd.factorize(values)
    ids = pd.Index(found)
    if pd.api.types.is_integer_dtype(ids.dtype):
        rank = np.argsort(ids.to_numpy(), kind="stable")
    else:
        names = ids.to_series().astype("str")
        digits = names.str.fullmatch(r"\d{1,18}").to_numpy(bool)
        number = np.where(digits, pd.to_numeric(names.where(digits, "0")), 0)
        rank = np.lexsort((names.to_numpy(object).astype(str), number, ~digits))
    place = np.empty(len(rank), np.int64)
    place[rank] = np.arange(len(rank))
    return place[codes], ids[rank]


def _filter(rows: pd.DataFrame, least: int, findings: list[Finding]) -> pd.DataFrame:
    """Drop items and users with fewer than ``least`` interactions until none is left."""
    before = rows
    while least > 1:
        n = len(rows)
        for key in ("item", "user"):
            counts = np.bincount(rows[key])
            rows = rows[counts[rows[key]] >= least]
        if len(rows) == n:
            break
    for key in ("item", "user"):
        gone = before[key].nunique() - rows[key].nunique()
        if gone:
            findings.append(
                Finding(
                    f"rare_{key}s",
                    gone,
                    "dropped",
                    f"{gone} {key}s have fewer than {least} interactions (min_interactions): "
                    "dropped, repeatedly until every user and item has that many.",
                )
            )
    if len(before) != len(rows):
        n = len(before) - len(rows)
        findings.append(
            Finding(
                "rare_interactions",
                n,
                "dropped",
                f"{n} interactions went with rare users or items.",
            )
        )
    return rows


def _drop_single(rows: pd.DataFrame, users: pd.Index, findings: list[Finding]) -> pd.DataFrame:
    counts = np.bincount(rows["user"], minlength=len(users))
    single = np.flatnonzero(counts == 1)
    if len(single):
        findings.append(
            Finding(
                "one_item_users",
                len(single),
                "dropped",
                f"{len(single)} users have a single interaction (users "
                f"{first_few([str(u) for u in users[single]])}): dropped, since it has no history "
                "to be predicted from and nothing to predict.",
            )
        )
        rows = rows[counts[rows["user"]] != 1]
    return rows


def clean(raw: RawData, config: DataConfig) -> tuple[Interactions, list[Finding]]:
    """Number users and items, drop what the stated rules drop, and put rows in order.

    The catalog is born here, before users are sampled: ``max_users`` and ``split`` never change it.
    """
    findings = list(raw.findings)
    user, users = _codes(raw.interactions["user"])
    item, raw_items = _codes(raw.interactions["item"])
    rows = raw.interactions.drop(columns=["line"]).assign(user=user, item=item)
    rows = rows.iloc[np.lexsort((rows["order"], rows["user"]))]
    rows = _filter(rows, config.min_interactions, findings)
    rows = _drop_single(rows, users, findings)
    if rows.empty:
        raise UserError(
            f"{config.dataset} has no interactions left after cleaning "
            f"({' '.join(f.sentence for f in findings)})"
        )
    kept_items = np.unique(rows["item"])
    kept_users = np.unique(rows["user"])
    if 0 < config.max_users < len(kept_users):
        chosen = np.random.default_rng(config.seed).choice(
            len(kept_users), config.max_users, replace=False
        )
        kept_users = kept_users[np.sort(chosen)]
        rows = rows[np.isin(rows["user"], kept_users)]
    rows = rows.assign(
        user=np.searchsorted(kept_users, rows["user"]),
        item=(np.searchsorted(kept_items, rows["item"]) + 1).astype(np.int32),
    ).reset_index(drop=True)
    catalog = _catalog(raw_items[kept_items], raw.items, findings)
    names = np.array([str(u) for u in users[kept_users]], dtype=object)
    return Interactions(rows, names, catalog, raw.has_timestamps, raw.order_rule), findings


def _catalog(ids: pd.Index, items: pd.DataFrame | None, findings: list[Finding]) -> Catalog:
    frame = pd.DataFrame({"raw_id": [str(i) for i in ids]})
    if items is None:
        frame["title"] = "Item " + frame["raw_id"]
        frame["text"] = frame["title"]
    else:
        found = items.set_index("raw_id").reindex(frame["raw_id"]).fillna("")
        titled = (found["title"] != "").to_numpy()
        found["title"] = found["title"].where(titled, "Item " + found.index)
        frame["title"] = found["title"].to_numpy(object)
        frame["text"] = text_of(found).to_numpy(object)
    frame.index = pd.RangeIndex(1, len(frame) + 1, name="item")
    return Catalog(frame)
