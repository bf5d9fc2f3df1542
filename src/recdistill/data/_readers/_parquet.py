"""Parquet with the user's own column names, by the column map."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from recdistill.data._readers import _rows
from recdistill.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from recdistill.data._config import DataConfig
    from recdistill.data._raw import Finding


def _frame(data: bytes, name: str) -> pd.DataFrame:
    if not data:
        raise UserError(f"{name} is empty: it has no rows to read.")
    try:
        table = parquet.read_table(io.BytesIO(data))
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"{name} is not a readable Parquet file ({str(error).splitlines()[0]}): write it "
            "again, or set reading.format to what it is."
        ) from None
    frame: pd.DataFrame = table.to_pandas()
    return frame


def read_interactions(
    data: bytes, name: str, config: DataConfig
) -> tuple[pd.DataFrame, bool, list[Finding]]:
    """Read interactions; "line" numbers are row numbers, from 1."""
    frame = _frame(data, name)
    return _rows.mapped_interactions(frame, np.arange(1, len(frame) + 1), [], name, config)


def read_items(data: bytes, name: str, config: DataConfig) -> tuple[pd.DataFrame, list[Finding]]:
    """Read item ids and titles; year and genres may be absent."""
    frame = _frame(data, name)
    return _rows.mapped_items(frame, np.arange(1, len(frame) + 1), [], name, config)
