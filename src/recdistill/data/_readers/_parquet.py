"""Parquet with the user's own column names, by the column map."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from recdistill.data._readers import _rows
from recdistill.data._readers._table import Table
from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recdistill.data._config import DataConfig
    from recdistill.data._raw import Clock, Finding

# Whole numbers with a gap stay whole: by default pandas would make them floats.
_NULLABLE = {
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.uint8(): pd.UInt8Dtype(),
    pa.uint16(): pd.UInt16Dtype(),
    pa.uint32(): pd.UInt32Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
}


def _table(data: bytes, name: str, wanted: Sequence[str], lists: Sequence[str] = ()) -> Table:
    """Read the wanted columns that are there; those of ``lists`` may hold more than one value."""
    if not data:
        raise UserError(f"{name} is empty: it has no rows to read.")
    try:
        file = parquet.ParquetFile(io.BytesIO(data))
        names = list(file.schema_arrow.names)
        if len(set(names)) < len(names):
            twice = next(n for n in names if names.count(n) > 1)
            raise UserError(f"{name} has two columns of the name {twice!r}: rename one of them.")
        # What pandas may have written about the columns is of no use here, and may be damaged.
        table = file.read([n for n in names if n in wanted]).replace_schema_metadata(None)
        table.validate(full=True)  # what is called text may be none
        plain = {
            n: table[n] if n in lists else _plain(table[n], n, name) for n in table.column_names
        }
        gaps = any(column.null_count for column in plain.values())
        frame = pa.table(plain).to_pandas(
            types_mapper=_NULLABLE.get if gaps else None, date_as_object=False
        )
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{name} is not a readable Parquet file ({said}): write it again, or set "
            "reading.format to what it is."
        ) from None
    return Table(frame, np.arange(1, len(frame) + 1), [], names)


def _plain(column: pa.ChunkedArray, which: str, name: str) -> pa.ChunkedArray:
    """Return a column of single values; bytes are taken as UTF-8 text."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_nested(kind):
        raise UserError(
            f"The column {which!r} of {name} holds {kind} values: it needs one value in each row."
        )
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        try:
            return column.cast(pa.string())
        except pa.ArrowInvalid:
            raise UserError(
                f"The column {which!r} of {name} holds bytes that are not UTF-8 text: write it as "
                "text."
            ) from None
    if pa.types.is_fixed_size_binary(kind):
        return _plain(column.cast(pa.binary()), which, name)
    return column


def read_interactions(
    data: bytes, name: str, config: DataConfig
) -> tuple[pd.DataFrame, Clock, list[Finding]]:
    """Read interactions; "line" numbers are row numbers, from 1."""
    table = _table(data, name, config.columns.of_interactions)
    return _rows.mapped_interactions(table, name, config)


def read_items(data: bytes, name: str, config: DataConfig) -> tuple[pd.DataFrame, list[Finding]]:
    """Read item ids and titles; year and genres may be absent."""
    columns = config.columns
    return _rows.mapped_items(_table(data, name, columns.of_items, columns.text), name, config)
