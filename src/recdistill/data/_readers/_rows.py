"""Columns of any reader into checked interaction rows and item rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recdistill.data._raw import Finding, first_few, settle_malformed
from recdistill.data._readers._clock import clock
from recdistill.data._readers._ids import ids
from recdistill.data._reading_config import Columns
from recdistill.data._text import described
from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from recdistill.data._config import DataConfig
    from recdistill.data._raw import Clock
    from recdistill.data._readers._table import Table

_CONTROL = r"[\x00-\x1f\x7f]+"
_NAMES_OF_TIME = {
    "timestamp", "timestamps", "time", "date", "datetime", "ts", "unixtime", "unixtimestamp",
    "unixreviewtime", "position",
}  # fmt: skip


def require_columns(columns: Sequence[str], needed: Sequence[str], name: str, how: str) -> None:
    """Refuse a table that lacks a needed column, naming those it has."""
    missing = [c for c in needed if c not in columns]
    if missing:
        raise UserError(
            f"{name} has no column {' and no column '.join(repr(c) for c in missing)} (it has "
            f"{first_few(columns, 20)}): {how}."
        )


def interactions(
    table: Table,
    *,
    columns: Columns,
    name: str,
    treatment: str,
    timestamp_format: str = "",
) -> tuple[pd.DataFrame, Clock, list[Finding]]:
    """Check every row; return ``(user, item, order, line[, rating])``, what orders, findings.

    A row is malformed when it has the wrong number of fields, a user or item that is no id, or a
    timestamp or rating that is no finite number. Without a timestamp column the order is the row's
    place in the file.
    """
    frame, lines = table.frame, table.lines
    user = ids(frame[columns.user], name, "user id")
    item = ids(frame[columns.item], name, "item id")
    out: dict[str, Any] = {"user": user.column, "item": item.column}
    wrong = [*user.wrong, *item.wrong]
    kind: Clock = ""
    if columns.timestamp and columns.timestamp in frame.columns:
        out["order"], no_time, kind = clock(frame[columns.timestamp], timestamp_format)
        asked = f"a date like {timestamp_format}" if timestamp_format else "a number"
        wrong.append((no_time, f"timestamp is not {asked}"))
    else:
        out["order"] = np.arange(len(frame), dtype=np.int64)
    if columns.rating and columns.rating in frame.columns:
        ratings = pd.to_numeric(frame[columns.rating], errors="coerce")
        out["rating"] = ratings.to_numpy(np.float64, na_value=np.nan)
        wrong.append((~np.isfinite(out["rating"]), "rating is not a number"))
    keep, findings = _settled(table, wrong, name, treatment)
    findings += _rewritten(user.n_rewritten + item.n_rewritten, name)
    rows = pd.DataFrame({**out, "line": lines})
    if not keep.all():
        rows = rows[keep].reset_index(drop=True)
    if rows.empty:
        raise UserError(f"{name} has no interactions: no row is left to learn from.")
    return rows, kind, findings


def _settled(
    table: Table, wrong: list[tuple[NDArray[np.bool_], str]], name: str, treatment: str
) -> tuple[NDArray[np.bool_], list[Finding]]:
    """Rows to keep; each malformed row is named by the first thing that is wrong with it."""
    keep = np.ones(len(table.frame), dtype=bool)
    problems = list(table.malformed)
    for mask, what in wrong:
        if mask.any():
            problems += [(int(line), what) for line in table.lines[mask & keep]]
            keep &= ~mask
    return keep, settle_malformed(name, problems, treatment)


def _rewritten(n: int, name: str) -> list[Finding]:
    if not n:
        return []
    sentence = f"{name} writes {n} ids with decimals that are zero: read as whole, 1.0 as 1."
    return [Finding("ids_with_decimals", n, "repaired", sentence)]


def items(
    table: Table,
    *,
    columns: Columns,
    name: str,
    treatment: str,
) -> tuple[pd.DataFrame, list[Finding]]:
    """Check the item rows; return rows and findings.

    The columns are ``raw_id``, ``title`` and ``line``, and where there are any ``year``, ``genres``
    and ``description``.

    Raises
    ------
    UserError
        When a text column is missing.
        When an id is listed twice with different titles: no rule could choose between them.
    """
    frame = table.frame
    texts = columns.text
    item = ids(frame[columns.item_id], name, "item id")
    out: dict[str, Any] = {"raw_id": item.column.astype("str"), "line": table.lines}
    for key in ("title", "year", "genres"):
        column = getattr(columns, key)
        if column and column in frame.columns:
            text = frame[column].astype("str").fillna("").str.strip()
            out[key] = text.str.replace(_CONTROL, " ", regex=True)
    if texts:
        require_columns(table.columns, texts, name, "correct columns.text")
        out["description"] = described(frame, texts)
    keep, findings = _settled(table, item.wrong, name, treatment)
    findings += _rewritten(item.n_rewritten, name)
    rows = pd.DataFrame(out)[keep]
    repeated = rows[rows.duplicated("raw_id", keep=False)]
    if len(repeated):
        titles = repeated.groupby("raw_id", sort=False)["title"].nunique()
        clashing = titles[titles > 1]
        if len(clashing):
            raw_id = clashing.index[0]
            both = repeated[repeated["raw_id"] == raw_id]
            raise UserError(
                f"{name} lists {len(clashing)} item {'id' if len(clashing) == 1 else 'ids'} twice "
                f"with different titles (item {raw_id} on lines {first_few(list(both['line']))}: "
                f"{' / '.join(both['title'].head(2))}): keep one line for each id."
            )
        extra = rows.duplicated("raw_id")
        sentence = (
            f"{name} lists {int(extra.sum())} items more than once with the same title (lines "
            f"{first_few(list(rows['line'][extra]))}): the first line counts."
        )
        findings.append(Finding("duplicate_items", int(extra.sum()), "dropped", sentence))
        rows = rows[~extra]
    return rows.reset_index(drop=True), findings


def mapped_interactions(
    table: Table, name: str, config: DataConfig
) -> tuple[pd.DataFrame, Clock, list[Finding]]:
    """Check interactions of the user's own files, by ``config.columns``."""
    columns = config.columns
    how = "name the right ones with columns.user and columns.item"
    require_columns(table.columns, [columns.user, columns.item], name, how)
    if columns.timestamp and columns.timestamp not in table.columns:
        _refuse_to_guess_the_order(table.columns, columns.timestamp, name)
    return interactions(
        table,
        columns=columns,
        name=name,
        treatment=config.cleaning.malformed,
        timestamp_format=config.reading.timestamp_format,
    )


def _refuse_to_guess_the_order(present: Sequence[str], timestamp: str, name: str) -> None:
    """Refuse where the column of the order may be there under another name."""
    if timestamp != Columns().timestamp:
        require_columns(present, [timestamp], name, "correct columns.timestamp")
    similar = [c for c in present if re.sub(r"[^a-z]", "", c.lower()) in _NAMES_OF_TIME]
    if similar:
        raise UserError(
            f"{name} has no column {timestamp!r} but has {first_few(similar)}: set "
            f"columns.timestamp={similar[0]} to order by it, or set columns.timestamp to nothing "
            "to take the order of the file."
        )


def mapped_items(table: Table, name: str, config: DataConfig) -> tuple[pd.DataFrame, list[Finding]]:
    """Check items of the user's own files, by ``config.columns``."""
    columns = config.columns
    how = "name the right ones with columns.item_id and columns.title"
    require_columns(table.columns, [columns.item_id, columns.title], name, how)
    return items(table, columns=columns, name=name, treatment=config.cleaning.malformed)
