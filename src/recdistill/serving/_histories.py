"""Users' histories streamed out of Parquet, a bounded number at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from recdistill.errors import UserError
from recdistill.serving._blanks import require_filled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from recdistill.data import Sequences

_ROWS_AT_ONCE = 65_536


@dataclass(frozen=True)
class Part:
    """Some users and their histories.

    Attributes
    ----------
    index : int
        Counts the parts of an input from 0; the same input and size give the same parts.
    users : pyarrow array, shape [n_users], of the input's own type
    items : int64 array, shape [n_interactions]
    offsets : int64 array, shape [n_users + 1]
    n_unknown : int
        Interactions left out, because their item is not in the catalog.
    n_rows : int
        Rows of the input that it was made of; see :func:`n_rows_of`.
    """

    index: int
    users: pa.Array
    items: NDArray[np.int64]
    offsets: NDArray[np.int64]
    n_unknown: int
    n_rows: int


def n_rows_of(path: Path) -> int:
    """Count the rows of a Parquet file or a folder of them; the files' footers say how many."""
    return int(_dataset(path).count_rows())


def files_of(path: Path) -> list[Path]:
    """Return the files that are read of a path, in their order."""
    return [Path(name) for name in _dataset(path).files]


def read_parts(path: Path, raw_ids: NDArray[np.object_], size: int) -> Iterator[Part]:
    """Stream parts of ``size`` users from a Parquet file or a folder of them.

    Columns ``user`` and ``history`` (a list of raw ids, oldest first), or one row per interaction
    with columns ``user`` and ``item``, a user's rows together and oldest first.

    Parameters
    ----------
    raw_ids : shape [n_items + 1], as in ``ItemNames.raw_ids``

    Raises
    ------
    UserError
        When nothing can be read there, columns are missing, a user's rows lie apart, or a row has
        no user or no item.
    """
    catalog = pa.array(raw_ids[1:], pa.string())
    one_row_each = "history" in _dataset(path).schema.names
    for index, table in enumerate(_tables(path, size)):
        history = table.column("history").combine_chunks()
        lengths = pc.fill_null(pc.list_value_length(history), 0).to_numpy()
        found = pc.index_in(pc.list_flatten(history).cast(pa.string()), value_set=catalog)
        ids = pc.fill_null(found, -1).to_numpy().astype(np.int64) + 1
        known = ids > 0
        n_known = np.add.reduceat(np.append(known, 0), _starts(lengths)) * (lengths > 0)
        offsets = np.concatenate([[0], np.cumsum(n_known)]).astype(np.int64)
        users = table.column("user").combine_chunks()
        n_rows = len(users) if one_row_each else len(ids)
        yield Part(index, users, ids[known], offsets, int((~known).sum()), n_rows)


def parts_of_everybody(
    users: NDArray[np.object_], histories: Sequences, size: int
) -> Iterator[Part]:
    """Yield parts of ``size`` users of prepared data; see ``data.whole_histories``."""
    offsets = histories.offsets
    for index, start in enumerate(range(0, len(users), size)):
        stop = min(start + size, len(users))
        items = histories.items[offsets[start] : offsets[stop]].astype(np.int64)
        of_part = offsets[start : stop + 1] - offsets[start]
        yield Part(index, pa.array(users[start:stop]), items, of_part, 0, stop - start)


def _tables(path: Path, size: int) -> Iterator[pa.Table]:
    """Yield tables of ``size`` users (the last one smaller) with columns user and history."""
    source = _dataset(path)
    names = set(source.schema.names)
    if {"user", "history"} <= names:
        batches = _batches(source, ["user", "history"])
    elif {"user", "item"} <= names:
        batches = _gathered(_batches(source, ["user", "item"]), path)
    else:
        raise UserError(
            f"{path} has the columns {', '.join(sorted(names))}; it needs user and history (a "
            "list of raw ids), or user and item with one row per interaction."
        )
    waiting: list[pa.Table] = []
    n_waiting = 0
    for batch in batches:
        waiting.append(batch)
        n_waiting += len(batch)
        if n_waiting >= size:
            joined = pa.concat_tables(waiting)
            whole = n_waiting - n_waiting % size
            for start in range(0, whole, size):
                yield joined.slice(start, size)
            waiting, n_waiting = [joined.slice(whole)], n_waiting - whole
    if n_waiting:
        yield pa.concat_tables(waiting)


def _dataset(path: Path) -> ds.Dataset:
    try:
        return ds.dataset(path, format="parquet")
    except (OSError, pa.ArrowInvalid) as error:
        raise UserError(f"{path} cannot be read as Parquet ({error}).") from None


def _batches(source: ds.Dataset, columns: list[str]) -> Iterator[pa.Table]:
    # In the order of the files and rows, and only a few row groups ahead: parts must come out the
    # same every time, and memory must not grow with the input.
    n_before = 0
    for batch in source.to_batches(
        columns=columns, batch_size=_ROWS_AT_ONCE, batch_readahead=2, fragment_readahead=1
    ):
        require_filled(batch, source, n_before)
        n_before += len(batch)
        if len(batch):
            yield pa.Table.from_batches([batch])


def _gathered(rows: Iterator[pa.Table], path: Path) -> Iterator[pa.Table]:
    """Turn rows of interactions into one history per user; a user may span several batches."""
    rest: pa.Table | None = None
    seen: set[int] = set()  # hashes: eight bytes of memory per user, and not the ids themselves
    for batch in rows:
        table = batch if rest is None else pa.concat_tables([rest, batch])
        table = table.combine_chunks()
        starts = _user_starts(table)
        rest = table.slice(starts[-1])
        if len(starts) > 1:
            yield _as_histories(table.slice(0, starts[-1]), starts, seen, path)
    if rest is not None:
        yield _as_histories(rest, _user_starts(rest.combine_chunks()), seen, path, last=True)


def _user_starts(table: pa.Table) -> NDArray[np.int64]:
    users = table.column("user").combine_chunks()
    changes = pc.not_equal(users[1:], users[:-1]).to_numpy(zero_copy_only=False)
    return np.concatenate([[0], np.flatnonzero(changes) + 1])


def _as_histories(
    table: pa.Table, starts: NDArray[np.int64], seen: set[int], path: Path, *, last: bool = False
) -> pa.Table:
    table = table.combine_chunks()
    firsts = starts if last else starts[:-1]
    users = table.column("user").combine_chunks().take(pa.array(firsts))
    for user in users.to_pylist():
        if hash(user) in seen:
            raise UserError(
                f"{path}: the rows of user {user!r} do not lie together; sort the interactions by "
                "user, and within a user by time."
            )
        seen.add(hash(user))
    ends = np.append(firsts, len(table)).astype(np.int32)
    items = table.column("item").combine_chunks()
    return pa.table({"user": users, "history": pa.ListArray.from_arrays(ends, items)})


def _starts(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    starts: NDArray[np.int64] = np.cumsum(lengths) - lengths
    return starts
