"""Whole days, in UTC, from whatever an interaction's ``order`` counts."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from recdistill.data._readers._clock import PER_SECOND

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recdistill.data._raw import Clock

_EPOCH = date(1970, 1, 1)
_SECONDS_A_DAY = 86_400
# The largest number that seconds, milliseconds, microseconds still reach in the year 5138.
_UNIT_BY_SIZE: tuple[tuple[int, Clock], ...] = ((10**11, "s"), (10**14, "ms"), (10**17, "us"))


def days_of(order: NDArray[np.number], clock: Clock) -> NDArray[np.int64]:
    """Count days since 1970 of every row, shape [n].

    Plain numbers are taken for the unit of time that their largest one fits: seconds below 10^11,
    then milliseconds, microseconds, nanoseconds.
    """
    return _whole_units(order, _ticks_per_second(order, clock) * _SECONDS_A_DAY)


def seconds_of(order: NDArray[np.number], clock: Clock) -> NDArray[np.int64]:
    """Count whole seconds since 1970 of every row, shape [n]; plain numbers as in ``days_of``."""
    return _whole_units(order, _ticks_per_second(order, clock))


def _ticks_per_second(order: NDArray[np.number], clock: Clock) -> int:
    if clock not in PER_SECOND:
        largest = float(np.abs(order).max(initial=0))
        clock = next((unit for bound, unit in _UNIT_BY_SIZE if largest < bound), "ns")
    return PER_SECOND[clock]


def _whole_units(order: NDArray[np.number], n_ticks: int) -> NDArray[np.int64]:
    whole: NDArray[np.int64] = np.floor_divide(order, n_ticks).astype(np.int64)
    return whole


def day_name(day: int) -> str:
    """Write days since 1970 as ``YYYY-MM-DD``, or as a number where no calendar has the day."""
    try:
        return (_EPOCH + timedelta(days=int(day))).isoformat()
    except OverflowError:
        return f"day {day}"
