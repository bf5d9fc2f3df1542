"""Rows of a batch scoring's input that lack a user or an item, refused by where they stand.

Arrow compares nothing with null, so a row without a user would end no history and begin none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.compute as pc

from recdistill.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds


def require_filled(batch: pa.RecordBatch, source: ds.Dataset, n_before: int) -> None:
    """Refuse a batch with a null among its users or items.

    Parameters
    ----------
    batch : with columns user and history, or user and item
    source : where it was read
    n_before : rows of ``source`` before the batch

    Raises
    ------
    UserError
        Naming the file and the row, counted from 1.
    """
    for name in batch.schema.names:
        column = batch.column(name)
        items = pc.list_flatten(column) if name == "history" else column
        if items.null_count:
            blank = next(at for at, value in enumerate(column.to_pylist()) if _lacks(name, value))
            lacks = "an item that is null in its history" if name == "history" else f"no {name}"
            raise UserError(
                f"{_place(source, n_before + blank)} has {lacks}: fill it in, or leave it out."
            )


def _lacks(name: str, value: object) -> bool:
    if name == "history":
        return isinstance(value, list) and None in value
    return value is None


def _place(source: ds.Dataset, row: int) -> str:
    """Name a row of all files by its own file."""
    for fragment in source.get_fragments():
        if row < fragment.count_rows():
            break
        row -= fragment.count_rows()
    return f"Row {row + 1} of {fragment.path}"
