"""Rows as read -> users, items and rows in order, with every drop counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recdistill.data._catalog import Catalog
from recdistill.data._order import by_user_and_time, renumbered
from recdistill.data._raw import Finding, first_few
from recdistill.data._titles import text_of
from recdistill.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recdistill.data._config import DataConfig
    from recdistill.data._raw import Clock, RawData

_SPREAD = 4
"""Numbers that spread over no more than this many times the rows are coded by a table."""


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
    user, users = _codes(raw.interactions["user"])
    item, raw_items = _codes(raw.interactions["item"])
    rows = _in_order(raw.interactions, user, item, len(users))
    tied = _share_tied(rows) if raw.has_timestamps else None
    rows = _disliked(rows, config, findings)
    rows = _unknown_items(rows, raw_items, raw.items, config, findings)
    rows = _repeats(rows, config, findings)
    rows = _rare(rows, config.min_interactions, findings)
    rows = _single(rows, users, findings)
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
    number, catalog = _numbered(raw_items, kept_items, known, raw.items, config, findings)
    rows = rows.assign(
        user=renumbered(rows["user"].to_numpy(), kept_users), item=number[rows["item"]]
    )
    names = np.array([str(u) for u in users[kept_users]], dtype=object)
    rows = rows.reset_index(drop=True)
    return Interactions(rows, names, catalog, raw.has_timestamps, tied, raw.clock), findings


def _numbered(
    ids: pd.Index,
    kept: NDArray[np.bool_],
    known: Catalog | None,
    items: pd.DataFrame | None,
    config: DataConfig,
    findings: list[Finding],
) -> tuple[NDArray[np.int32], Catalog]:
    """Give every raw item its catalog id: those that are known theirs, the others the next ones.

    Returns
    -------
    number : int32 array, shape [n_raw_items], of no meaning where ``kept`` is false
    catalog : Catalog
    """
    number = np.zeros(len(ids), np.int32)
    if known is not None:
        number = pd.Index(known.items["raw_id"]).get_indexer(ids.astype("str")).astype(np.int32) + 1
    fresh = kept & (number == 0)
    n_known = known.n_items if known else 0
    number[fresh] = n_known + 1 + np.arange(int(fresh.sum()), dtype=np.int32)
    if known is None:
        return number, catalog_of(ids[fresh], items, config, findings)
    if not fresh.any():
        return number, known.grown(known.items.iloc[:0])
    return number, known.grown(catalog_of(ids[fresh], items, config, findings).items)


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


def _codes(values: pd.Series) -> tuple[NDArray[np.int32], pd.Index]:
    """Code distinct ids by their natural order, 2 before 10, whatever the order of the rows."""
    if pd.api.types.is_integer_dtype(values.dtype):
        numbers = values.to_numpy()
        lowest, highest = int(numbers.min()), int(numbers.max())
        if highest - lowest <= _SPREAD * len(numbers) and highest < 2**62:
            shifted = numbers.astype(np.int64, copy=False) - lowest
            seen = np.zeros(highest - lowest + 1, bool)
            seen[shifted] = True
            return renumbered(shifted, seen), pd.Index(np.flatnonzero(seen) + lowest)
    codes, found = pd.factorize(values)
    if pd.api.types.is_integer_dtype(found.dtype):
        ids = pd.Index(found)
        rank = np.argsort(ids.to_numpy(), kind="stable")
    else:
        ids = pd.Index(found).astype("str")
        names = pd.Series(ids)
        digits = names.str.fullmatch(r"[0-9]{1,18}").to_numpy(bool)
        number = names.where(digits, "0").astype(np.int64).to_numpy()
        # Arrow sorts text where it lies: one long id must not widen all others, as numpy would.
        keys = pa.table({"word": ~digits, "number": number, "name": pa.array(names, pa.string())})
        by = [(key, "ascending") for key in keys.column_names]
        rank = pc.sort_indices(keys, sort_keys=by).to_numpy()
    place = np.empty(len(rank), np.int32)
    place[rank] = np.arange(len(rank), dtype=np.int32)
    return place[codes], ids[rank]


def _unknown_items(
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


def _disliked(rows: pd.DataFrame, config: DataConfig, findings: list[Finding]) -> pd.DataFrame:
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


def _repeats(rows: pd.DataFrame, config: DataConfig, findings: list[Finding]) -> pd.DataFrame:
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


def _rare(rows: pd.DataFrame, least: int, findings: list[Finding]) -> pd.DataFrame:
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


def _single(rows: pd.DataFrame, users: pd.Index, findings: list[Finding]) -> pd.DataFrame:
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


def catalog_of(
    ids: pd.Index, items: pd.DataFrame | None, config: DataConfig, findings: list[Finding]
) -> Catalog:
    """Give items their ids 1..n and their words."""
    frame = pd.DataFrame({"raw_id": [str(i) for i in ids]})
    if items is None and config.columns.text:
        raise UserError(
            f"columns.text asks for {first_few(config.columns.text)} of the items, and there is no "
            "item file: name one with reading.items_file, or leave columns.text empty."
        )
    if items is None:
        frame["title"] = frame["text"] = "Item " + frame["raw_id"]
        sentence = f"No item file: the {len(frame)} items are titled 'Item <id>'."
        findings.append(Finding("untitled_items", len(frame), "kept", sentence))
    else:
        found = (
            items.drop(columns="line", errors="ignore").set_index("raw_id").reindex(frame["raw_id"])
        )
        listed = found["title"].notna().to_numpy()
        found = found.fillna("")
        untitled = (found["title"] == "").to_numpy()
        empty = listed & untitled
        if empty.any():
            sentence = (
                f"{int(empty.sum())} items have an empty title (items "
                f"{first_few(list(frame['raw_id'][empty]))}): kept, titled 'Item <id>'."
            )
            findings.append(Finding("untitled_items", int(empty.sum()), "kept", sentence))
        found["title"] = found["title"].where(~untitled, "Item " + found.index.astype("str"))
        frame["title"] = found["title"].to_numpy(object)
        frame["text"] = text_of(found).to_numpy(object)
        if "description" in found:
            frame["description"] = found["description"].to_numpy(object)
        _twins(found, findings)
    frame.index = pd.RangeIndex(1, len(frame) + 1, name="item")
    return Catalog(frame)


def _twins(found: pd.DataFrame, findings: list[Finding]) -> None:
    """Report items that share title and year: to a reader of titles they are one item."""
    keys = ["title", "year"] if "year" in found else ["title"]
    groups = found.reset_index()[found.duplicated(keys, keep=False).to_numpy()].groupby(keys)
    if not groups.ngroups:
        return
    shown = [f"{'/'.join(g['raw_id'])} {g['title'].iloc[0]}" for _, g in groups]
    sentence = (
        f"{groups.ngroups} titles are listed under more than one item id ({first_few(shown)}): "
        "kept as separate items, which a model that writes titles cannot tell apart."
    )
    findings.append(Finding("title_twins", groups.ngroups, "kept", sentence))
