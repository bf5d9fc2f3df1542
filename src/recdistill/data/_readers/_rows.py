"""Columns of any reader into checked interaction rows and item rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recdistill.data._config import Columns
from recdistill.data._raw import Finding, first_few, settle_malformed
from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from recdistill.data._config import DataConfig


def require_columns(frame: pd.DataFrame, needed: Sequence[str], name: str, how: str) -> None:
    """Refuse a table that lacks a needed column, naming those it has."""
    missing = [c for c in needed if c not in frame.columns]
    if missing:
        raise UserError(
            f"{name} has no column {' and no column '.join(repr(c) for c in missing)} (it has "
            f"{', '.join(map(str, frame.columns))}): {how}."
        )


def _ids(values: pd.Series) -> tuple[pd.Series, NDArray[np.bool_]]:
    """Ids as whole numbers or stripped text, and which are missing."""
    if pd.api.types.is_integer_dtype(values.dtype):
        return values, values.isna().to_numpy()
    if pd.api.types.is_float_dtype(values.dtype):
        # Parquet writers turn whole-number ids into floats when one is missing.
        whole = values.notna() & np.isfinite(values) & (values == np.floor(values))
        return values.where(whole, 0).astype(np.int64), ~whole.to_numpy()
    missing = values.isna().to_numpy()
    text = values.astype("str").str.strip()
    return text, missing | (text == "").to_numpy() | text.str.lower().eq("nan").to_numpy()


def _whole_if_possible(values: NDArray[np.floating[Any]]) -> NDArray[Any]:
    whole = np.abs(values).max(initial=0) < 2**53 and bool((values == np.floor(values)).all())
    return values.astype(np.int64) if whole else values


def _clock(values: pd.Series, timestamp_format: str) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Timestamps as numbers (seconds for dates), and which are none."""
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        dates = pd.to_datetime(values, utc=True)
    elif timestamp_format:
        dates = pd.to_datetime(values, format=timestamp_format, errors="coerce", utc=True)
    else:
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)
        wrong = ~np.isfinite(numbers)
        return _whole_if_possible(np.where(wrong, np.float64(0), numbers)), wrong
    wrong = dates.isna().to_numpy()
    seconds = (dates - pd.Timestamp(0, tz="UTC")).dt.total_seconds().fillna(0).to_numpy()
    return _whole_if_possible(seconds), wrong


def interactions(
    frame: pd.DataFrame,
    lines: NDArray[np.int64],
    malformed: list[tuple[int, str]],
    *,
    columns: Columns,
    name: str,
    treatment: str,
    timestamp_format: str = "",
) -> tuple[pd.DataFrame, bool, list[Finding]]:
    """Check every row; return ``(user, item, order, line[, rating])``, clock or not, findings.

    A row is malformed when it has the wrong number of fields, an empty (or NaN) user or item, or a
    timestamp or rating that is no finite number. Without a timestamp column the order is the row's
    place in the file.
    """
    user, no_user = _ids(frame[columns.user])
    item, no_item = _ids(frame[columns.item])
    out: dict[str, Any] = {"user": user, "item": item}
    wrong = [(no_user, "no user id"), (no_item, "no item id")]
    has_clock = bool(columns.timestamp) and columns.timestamp in frame.columns
    if has_clock:
        out["order"], no_time = _clock(frame[columns.timestamp], timestamp_format)
        asked = f"a date like {timestamp_format}" if timestamp_format else "a number"
        wrong.append((no_time, f"timestamp is not {asked}"))
    else:
        out["order"] = np.arange(len(frame), dtype=np.int64)
    if columns.rating and columns.rating in frame.columns:
        ratings = pd.to_numeric(frame[columns.rating], errors="coerce")
        out["rating"] = ratings.to_numpy(np.float64, na_value=np.nan)
        wrong.append((~np.isfinite(out["rating"]), "rating is not a number"))
    keep = np.ones(len(frame), dtype=bool)
    problems = list(malformed)
    for mask, what in wrong:
        problems += [(int(line), what) for line in lines[mask & keep]]
        keep &= ~mask
    findings = settle_malformed(name, problems, treatment)
    rows = pd.DataFrame({**out, "line": lines})
    if not keep.all():
        rows = rows[keep].reset_index(drop=True)
    if rows.empty:
        raise UserError(f"{name} has no interactions: no row is left to learn from.")
    return rows, has_clock, findings


def items(
    frame: pd.DataFrame,
    lines: NDArray[np.int64],
    malformed: list[tuple[int, str]],
    *,
    columns: Columns,
    name: str,
    treatment: str,
) -> tuple[pd.DataFrame, list[Finding]]:
    """Check the item rows; return ``(raw_id, title, line[, year, genres])`` and findings.

    Raises
    ------
    UserError
        When an id is listed twice with different titles: no rule could choose between them.
    """
    ids, missing = _ids(frame[columns.item_id])
    out: dict[str, Any] = {"raw_id": ids.astype("str"), "line": lines}
    for key in ("title", "year", "genres"):
        column = getattr(columns, key)
        if column and column in frame.columns:
            out[key] = frame[column].fillna("").astype("str").str.strip()
    problems = malformed + [(int(line), "no item id") for line in lines[missing]]
    findings = settle_malformed(name, problems, treatment)
    rows = pd.DataFrame(out)[~missing]
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
    frame: pd.DataFrame,
    lines: NDArray[np.int64],
    malformed: list[tuple[int, str]],
    name: str,
    config: DataConfig,
) -> tuple[pd.DataFrame, bool, list[Finding]]:
    """Check interactions of the user's own files, by ``config.columns``."""
    columns = config.columns
    how = "name the right ones with columns.user and columns.item"
    require_columns(frame, [columns.user, columns.item], name, how)
    if columns.timestamp != Columns().timestamp and columns.timestamp not in ("", *frame.columns):
        require_columns(frame, [columns.timestamp], name, "correct columns.timestamp")
    return interactions(
        frame,
        lines,
        malformed,
        columns=columns,
        name=name,
        treatment=config.cleaning.malformed,
        timestamp_format=config.reading.timestamp_format,
    )


def mapped_items(
    frame: pd.DataFrame,
    lines: NDArray[np.int64],
    malformed: list[tuple[int, str]],
    name: str,
    config: DataConfig,
) -> tuple[pd.DataFrame, list[Finding]]:
    """Check items of the user's own files, by ``config.columns``."""
    columns = config.columns
    how = "name the right ones with columns.item_id and columns.title"
    require_columns(frame, [columns.item_id, columns.title], name, how)
    return items(
        frame,
        lines,
        malformed,
        columns=columns,
        name=name,
        treatment=config.cleaning.malformed,
    )
