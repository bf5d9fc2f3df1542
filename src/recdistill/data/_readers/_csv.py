"""The user's own CSV (or TSV) with a header line, by the column map."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recdistill.data._readers import _rows
from recdistill.data._readers._table import decode, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from recdistill.data._config import DataConfig
    from recdistill.data._raw import Clock, Finding
    from recdistill.data._readers._table import Table


def _table(data: bytes, name: str, config: DataConfig, wanted: Sequence[str]) -> Table:
    text = decode(data, name, config.reading.encoding)
    separator = config.reading.separator or ("\t" if name.lower().endswith(".tsv") else ",")
    return parse(text, name, separator=separator, columns=None, quoted=True, wanted=wanted)


def read_interactions(
    data: bytes, name: str, config: DataConfig
) -> tuple[pd.DataFrame, Clock, list[Finding]]:
    """Read interactions; the timestamp column may be absent."""
    table = _table(data, name, config, config.columns.of_interactions)
    return _rows.mapped_interactions(table, name, config)


def read_items(data: bytes, name: str, config: DataConfig) -> tuple[pd.DataFrame, list[Finding]]:
    """Read item ids and titles; year and genres may be absent."""
    table = _table(data, name, config, config.columns.of_items)
    return _rows.mapped_items(table, name, config)
