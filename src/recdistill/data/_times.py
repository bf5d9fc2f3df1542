"""When the interactions of prepared data happened, read for those models that ask for it.

A folder has the times since it was first written, in the ``order`` of its CSV files. They are
read from there and not kept as arrays, so data costs nobody more who does not ask for them, folders
of earlier versions have them too, and no digest changes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv

from recdistill.data._days import seconds_of
from recdistill.data._order import grouped
from recdistill.data._store import PARTS, split_digest
from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from recdistill.data._prepared import Cases, PreparedData


def as_read_by(reader: object, data: PreparedData) -> PreparedData:
    """Return data with times where the reader asks for them, else the data as they are.

    Parameters
    ----------
    reader : a model, or a student's settings
        What has no ``query_time`` or has "none" reads no times.
    data : PreparedData
    """
    return data if getattr(reader, "query_time", "none") == "none" else with_times(data)


def with_times(data: PreparedData) -> PreparedData:
    """Return the same data, with the time of every interaction and target in seconds.

    Raises
    ------
    UserError
        When the data has no timestamps.
    ValueError
        When the split is not the one of ``data.folder``, whose rows the times belong to.
    """
    if data.train.times is not None:
        return data
    if not data.manifest.get("has_timestamps"):
        raise UserError(
            f"{data.dataset} has no timestamps, so no student can read the time: set "
            "student.query_time=none, or prepare the data anew with a column of times "
            "(columns.timestamp)."
        )
    if split_digest(data.users, data.train, data.val, data.test) != data.split_digest:
        raise ValueError("times are those of the folder's own split, and this is another one")
    known = pd.Index(data.users)
    users = [np.repeat(np.arange(len(data.users)), data.train.lengths)]
    orders = [_column(data.folder / "train.csv", "order")]
    for part in list(PARTS)[1:]:
        path = data.folder / f"{part}.csv"
        users.append(known.get_indexer(pd.Index(_column(path, "user"))))
        orders.append(_column(path, "order"))
    user = np.concatenate(users)
    seconds = seconds_of(np.concatenate(orders), data.manifest.get("clock", "number"))
    n_train = len(data.train.items)
    # Rows of a user stand together and in the order of the parts: its whole history.
    whole = seconds[grouped(user, len(data.users))]
    counts = np.bincount(user, minlength=len(data.users))
    starts = np.cumsum(counts) - counts
    return replace(
        data,
        train=replace(data.train, times=seconds[:n_train]),
        val=_timed(data.val, whole, starts),
        test=_timed(data.test, whole, starts),
    )


def _timed(cases: Cases, whole: NDArray[np.int64], starts: NDArray[np.int64]) -> Cases:
    """Give times to the history of every case, which is the beginning of its user's.

    Parameters
    ----------
    whole : shape [n_interactions], the times of one user behind those of another
    starts : shape [n_users], where each user's begin
    """
    first, lengths = starts[cases.users], cases.history.lengths
    offsets = cases.history.offsets
    source = np.repeat(first - offsets[:-1], lengths) + np.arange(offsets[-1])
    return replace(
        cases,
        history=replace(cases.history, times=whole[source]),
        target_times=whole[first + lengths],
    )


def _column(path: Path, name: str) -> NDArray[Any]:
    """Read one column of a part's file; numbers as whole ones where they all are."""
    if name == "user":
        return np.concatenate([np.zeros(0, object), *_pieces(path, name, pa.large_string())])
    try:
        return np.concatenate(list(_pieces(path, name, pa.int64())))
    except pa.ArrowInvalid:
        return np.concatenate(list(_pieces(path, name, pa.float64())))


def _pieces(path: Path, name: str, kind: pa.DataType) -> Iterator[NDArray[Any]]:
    """Read a piece at a time: as text the rows are many times as large."""
    convert = csv.ConvertOptions(include_columns=[name], column_types={name: kind})
    parse = csv.ParseOptions(newlines_in_values=True)
    with csv.open_csv(path, parse_options=parse, convert_options=convert) as reader:
        for batch in reader:
            yield batch.column(0).to_numpy(zero_copy_only=False)
