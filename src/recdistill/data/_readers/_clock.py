"""Timestamps of any column type as exact numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recdistill.data._raw import Clock

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_EXACT = 2**53


def clock(
    values: pd.Series, timestamp_format: str
) -> tuple[NDArray[Any], NDArray[np.bool_], Clock]:
    """Timestamps as numbers, which of them are none, and what the numbers count.

    Dates count seconds since 1970 where all are whole seconds, else their column's own unit. Whole
    numbers stay whole numbers, exact to the last of 64 bits.
    """
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return _of_dates(pd.to_datetime(values, utc=True))
    if timestamp_format:
        return _of_dates(pd.to_datetime(values, format=timestamp_format, errors="coerce", utc=True))
    quick = _of_digits(values)
    if quick is not None:
        return quick, np.zeros(len(quick), bool), "number"
    numbers = pd.to_numeric(values, errors="coerce")
    if pd.api.types.is_signed_integer_dtype(numbers.dtype):
        wrong = numbers.isna().to_numpy(bool)
        return numbers.fillna(0).to_numpy(np.int64), wrong, "number"
    floats = numbers.to_numpy(np.float64, na_value=np.nan)
    wrong = ~np.isfinite(floats)
    floats = np.where(wrong, np.float64(0), floats)
    whole = _whole(values, floats, wrong)
    return floats if whole is None else whole, wrong, "number"


def _of_digits(values: pd.Series) -> NDArray[np.int64] | None:
    """Text that is whole numbers throughout, the usual case, by Arrow's fast cast."""
    if not pd.api.types.is_string_dtype(values.dtype) or values.hasnans:
        return None
    try:
        text = pa.array(values, pa.large_string())
        numbers = text.cast(pa.int64())
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return None
    hexadecimal = pc.or_(pc.match_substring(text, "x"), pc.match_substring(text, "X"))
    if numbers.null_count or pc.any(hexadecimal).as_py():
        return None
    found: NDArray[np.int64] = numbers.to_numpy()
    return found


def _of_dates(dates: pd.Series) -> tuple[NDArray[Any], NDArray[np.bool_], Clock]:
    wrong = dates.isna().to_numpy(bool)
    ticks = np.where(wrong, 0, dates.astype("int64").to_numpy())
    unit = cast("Clock", dates.dt.unit)
    if not (ticks % PER_SECOND[unit]).any():
        return ticks // PER_SECOND[unit], wrong, "s"
    return ticks, wrong, unit


def _whole(
    values: pd.Series, floats: NDArray[np.float64], wrong: NDArray[np.bool_]
) -> NDArray[np.int64] | None:
    """Return the same timestamps as whole numbers, where all of them are and none loses a digit."""
    if np.abs(floats).max(initial=0) < _EXACT:
        return floats.astype(np.int64) if bool((floats == np.floor(floats)).all()) else None
    if pd.api.types.is_numeric_dtype(values.dtype):
        return None
    # A float has swallowed digits (one bad row is enough to make a column float): read the text.
    text = values.astype("str").where(~wrong, "0").str.strip()
    digits = text.str.extract(r"^([+-]?[0-9]{1,19})(?:\.0*)?$", expand=False)
    if digits.isna().any():
        return None
    exact = pd.to_numeric(digits)
    return exact.to_numpy(np.int64) if exact.dtype == np.int64 else None
