"""How the user's own files are read, and what happens to rows that are wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from recdistill.errors import UserError, require, require_choice

Format = Literal["auto", "movielens", "recbole", "csv", "parquet"]
Treatment = Literal["refuse", "drop"]
UnknownItems = Literal["keep", "drop", "refuse"]
Repeats = Literal["keep", "first"]

_OF_INTERACTIONS = ("user", "item", "timestamp", "rating")
_OF_ITEMS = ("item_id", "title", "year", "genres")
_NO_SEPARATOR = ('"', "\r", "\n", "\x00")


@dataclass(frozen=True)
class Columns:
    """Names of the columns in the user's own CSV or Parquet files.

    ``timestamp`` may be absent from the file: the file's order is the order then. ``rating`` and
    the item columns other than ``item_id`` may be absent too. ``text`` names further columns of the
    item file, such as brand, categories and description, in any format: cleaned, they become the
    catalog's ``description``.
    """

    user: str = "user"
    item: str = "item"
    timestamp: str = "timestamp"
    rating: str = "rating"
    item_id: str = "item"
    title: str = "title"
    year: str = "year"
    genres: str = "genres"
    text: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", tuple(self.text))
        for name in ("user", "item", "item_id", "title"):
            require(bool(getattr(self, name)), f"columns.{name} is empty; name a column.")
        for roles in (_OF_INTERACTIONS, _OF_ITEMS):
            taken: dict[str, str] = {}
            for role in roles:
                column = getattr(self, role)
                require(
                    not column or column not in taken,
                    f"columns.{role} and columns.{taken.get(column)} are both {column!r}; a column "
                    "has one role.",
                )
                taken[column] = role
        for column in self.text:
            require(
                bool(column) and self.of_items.count(column) == 1,
                f"columns.text names {column!r}, which is empty, named twice, or has another role "
                "in the item file; a column has one role.",
            )

    @property
    def of_interactions(self) -> list[str]:
        """Columns of a file of interactions that are read, where they are there."""
        return [getattr(self, role) for role in _OF_INTERACTIONS]

    @property
    def of_items(self) -> list[str]:
        """Columns of an item file that are read, where they are there."""
        return [*(getattr(self, role) for role in _OF_ITEMS), *self.text]


@dataclass(frozen=True)
class Reading:
    """How the user's own files are read.

    Attributes
    ----------
    format : "auto" goes by the file name.
    items_file : file with item titles; empty looks beside the interactions.
    encoding : "auto" is UTF-8 (MovieLens' own files: UTF-8, else Latin-1).
    separator : of CSV files; empty means a comma, or a tab for ``.tsv``.
    timestamp_format : empty means numbers; otherwise a ``strptime`` format such as ``%Y-%m-%d``.
    """

    format: Format = "auto"
    items_file: str = ""
    encoding: str = "auto"
    separator: str = ""
    timestamp_format: str = ""

    def __post_init__(self) -> None:
        require_choice("reading.format", self.format, Format)
        require(
            len(self.separator) <= 1
            and self.separator.isascii()
            and self.separator not in _NO_SEPARATOR,
            f"reading.separator is {self.separator!r}; it must be a single ASCII character, and "
            "neither a quote nor a line end.",
        )
        if self.encoding != "auto":
            require(
                _is_text_codec(self.encoding),
                f"reading.encoding is {self.encoding!r}, by which Python can read no text; use "
                "utf-8, latin-1 or another codec name.",
            )
        if self.timestamp_format:
            _check_timestamp_format(self.timestamp_format)


@dataclass(frozen=True)
class Cleaning:
    """What happens to rows that are wrong; every one is counted in the manifest either way.

    Attributes
    ----------
    malformed : a row with too few fields, an empty id or a timestamp that is no number.
    unknown_items : an interaction whose item the item file does not list; kept, it is titled
        ``Item <id>``.
    repeats : "first" keeps a user's first interaction with each item.
    min_rating : interactions rated lower are dropped, before anything is counted; None keeps all,
        one star like five.
    """

    malformed: Treatment = "refuse"
    unknown_items: UnknownItems = "keep"
    repeats: Repeats = "keep"
    min_rating: float | None = None

    def __post_init__(self) -> None:
        require_choice("cleaning.malformed", self.malformed, Treatment)
        require_choice("cleaning.unknown_items", self.unknown_items, UnknownItems)
        require_choice("cleaning.repeats", self.repeats, Repeats)


def _is_text_codec(name: str) -> bool:
    try:
        return "a".encode(name).decode(name) == "a"
    except (LookupError, ValueError):
        return False


def _check_timestamp_format(asked: str) -> None:
    import pandas as pd  # here, because most settings name no format

    try:
        pd.to_datetime(pd.Series(["x"]), format=asked, errors="coerce")
    except (ValueError, re.error) as error:
        raise UserError(
            f"reading.timestamp_format is {asked!r}, by which no date can be read ({error}); use a "
            "strptime format such as %Y-%m-%d %H:%M:%S."
        ) from None
