"""MovieLens' own files: ``ratings.dat`` and ``movies.dat`` (``::``), ``u.data`` and ``u.item``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from recdistill.data._readers import _rows
from recdistill.data._readers._table import decode, parse
from recdistill.data._reading_config import Columns
from recdistill.data._titles import readable_items

if TYPE_CHECKING:
    import pandas as pd

    from recdistill.data._config import DataConfig
    from recdistill.data._raw import Clock, Finding

_COLUMNS = Columns()
# u.item marks genres by 19 columns of 0 and 1, in this order.
_U_ITEM_GENRES = [
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary",
    "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
]  # fmt: skip


def _separator(text: str) -> str:
    return "::" if "::" in text.partition("\n")[0] else "\t"


def read_interactions(
    data: bytes, name: str, config: DataConfig
) -> tuple[pd.DataFrame, Clock, list[Finding]]:
    """Read ``user::item::rating::timestamp`` lines, or the same four with tabs."""
    text = decode(data, name, config.reading.encoding, fallback="latin-1")
    columns = ["user", "item", "rating", "timestamp"]
    table = parse(text, name, separator=_separator(text), columns=columns, quoted=False)
    return _rows.interactions(
        table,
        columns=_COLUMNS,
        name=name,
        treatment=config.cleaning.malformed,
    )


def read_items(data: bytes, name: str, config: DataConfig) -> tuple[pd.DataFrame, list[Finding]]:
    """Read ``item::Title (year)::Genre|Genre`` lines, or ``u.item`` with its genre flags."""
    text = decode(data, name, config.reading.encoding, fallback="latin-1")
    if _separator(text) == "::":
        columns = ["item", "title", "genres"]
        table = parse(text, name, separator="::", columns=columns, quoted=False)
        frame = table.frame.assign(genres=table.frame["genres"].str.replace("|", ", ", regex=False))
    else:
        columns = ["item", "title", "released", "video", "link", *_U_ITEM_GENRES]
        table = parse(text, name, separator="|", columns=columns, quoted=False)
        flags = table.frame[_U_ITEM_GENRES] == "1"
        named = [", ".join(g for g, on in zip(_U_ITEM_GENRES, row, strict=True) if on)
                 for row in flags.to_numpy()]  # fmt: skip
        frame = table.frame.assign(genres=named)
    items, findings = _rows.items(
        replace(table, frame=frame),
        columns=replace(_COLUMNS, text=config.columns.text),
        name=name,
        treatment=config.cleaning.malformed,
    )
    return readable_items(items), findings
