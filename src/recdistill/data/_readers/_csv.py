"""The user's own CSV (or TSV) with a header line, by the column map."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recdistill.data._readers import _rows
from recdistill.data._readers._table import decode, parse

if TYPE_CHECKING:
    import pandas as pd

    from recdistill.data._config import DataConfig
    from recdistill.data._raw import Finding
    from recdistill.data._readers._table import Table


def _table(data: bytes, name: str, config: DataConfig) -> Table:
    text = decode(data, name, config.reading.encoding)
    separator = config.reading.separator or ("\t" if name.lower().endswith(".tsv") else ",")
    return parse(text, name, separator=separator, columns=None, quoted=True)


def read_interactions(
    data: bytes, name: str, config: DataConfig
) -> tuple[pd.DataFrame, bool, list[Finding]]:
    """Read interactions; the timestamp column may be absent."""
    table = _table(data, name, config)
    return _rows.mapped_interactions(table.frame, table.lines, table.malformed, name, config)


def read_items(data: bytes, name: str, config: DataConfig) -> tuple[pd.DataFrame, list[Finding]]:
    """Read item ids and titles; year and genres may be absent."""
    table = _table(data, name, config)
    return _rows.mapped_items(table.frame, table.lines, table.malformed, name, config)
