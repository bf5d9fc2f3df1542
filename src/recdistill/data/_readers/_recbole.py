"""RecBole's atomic files: tab-separated, a header of ``name:type``, ``.inter`` and ``.item``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from recdistill.data._readers import _rows
from recdistill.data._readers._table import decode, parse
from recdistill.data._reading_config import Columns

if TYPE_CHECKING:
    import pandas as pd

    from recdistill.data._config import DataConfig
    from recdistill.data._raw import Clock, Finding

COLUMNS = Columns(
    user="user_id",
    item="item_id",
    timestamp="timestamp",
    rating="rating",
    item_id="item_id",
    title="movie_title",
    year="release_year",
    genres="class",
)
_TITLES = ("movie_title", "title", "name", "item_name")
_GENRES = ("class", "genre", "genres", "categories")


def _plain_header(text: str) -> str:
    header, newline, body = text.partition("\n")
    names = [field.strip().split(":")[0] for field in header.rstrip("\r").split("\t")]
    return "\t".join(names) + newline + body


def read_interactions(
    data: bytes, name: str, config: DataConfig
) -> tuple[pd.DataFrame, Clock, list[Finding]]:
    """Read a ``.inter`` file."""
    text = _plain_header(decode(data, name, config.reading.encoding))
    table = parse(text, name, separator="\t", columns=None, quoted=False)
    how = "RecBole's atomic interactions begin with a line like user_id:token<TAB>item_id:token"
    _rows.require_columns(table.columns, [COLUMNS.user, COLUMNS.item], name, how)
    return _rows.interactions(
        table,
        columns=COLUMNS,
        name=name,
        treatment=config.cleaning.malformed,
    )


def read_items(data: bytes, name: str, config: DataConfig) -> tuple[pd.DataFrame, list[Finding]]:
    """Read a ``.item`` file; the title is the first of the usual column names."""
    text = _plain_header(decode(data, name, config.reading.encoding))
    table = parse(text, name, separator="\t", columns=None, quoted=False)
    title = next((c for c in _TITLES if c in table.frame.columns), _TITLES[0])
    genres = next((c for c in _GENRES if c in table.frame.columns), "")
    _rows.require_columns(
        table.columns, [COLUMNS.item_id, title], name, "an item file needs an id and a title"
    )
    columns = Columns(item_id="item_id", title=title, year="release_year", genres=genres)
    columns = replace(columns, text=config.columns.text)
    frame, findings = _rows.items(
        table,
        columns=columns,
        name=name,
        treatment=config.cleaning.malformed,
    )
    if "genres" in frame:
        frame["genres"] = frame["genres"].str.split().str.join(", ")
    return frame, findings
