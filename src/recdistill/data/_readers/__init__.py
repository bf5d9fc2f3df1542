"""One small file per format; each offers ``read_interactions`` and ``read_items``."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Protocol, cast

from recdistill.data._readers import _csv, _movielens, _parquet, _recbole
from recdistill.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from recdistill.data._config import DataConfig
    from recdistill.data._raw import Clock, Finding


class Reader(Protocol):
    """A file format."""

    def read_interactions(
        self, data: bytes, name: str, config: DataConfig
    ) -> tuple[pd.DataFrame, Clock, list[Finding]]:
        """Return checked rows, what ``order`` counts, and findings."""

    def read_items(
        self, data: bytes, name: str, config: DataConfig
    ) -> tuple[pd.DataFrame, list[Finding]]:
        """Return checked item rows and findings."""


_BY_FORMAT = {"movielens": _movielens, "recbole": _recbole, "csv": _csv, "parquet": _parquet}
_BY_ENDING = {
    ".dat": "movielens",
    ".data": "movielens",
    ".inter": "recbole",
    ".item": "recbole",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
}


def reader_for(name: str, chosen: str = "auto") -> Reader:
    """Choose a reader by name: ``chosen``, or by the file's ending.

    Raises
    ------
    UserError
        When the ending says nothing.
    """
    path = PurePath(name)
    kind = chosen if chosen != "auto" else _BY_ENDING.get(path.suffix.lower(), "")
    if path.name.lower() == "u.item":
        kind = "movielens"
    if kind not in _BY_FORMAT:
        raise UserError(
            f"The format of {name} cannot be told from its name: set reading.format to movielens, "
            "recbole, csv or parquet."
        )
    return cast("Reader", _BY_FORMAT[kind])
