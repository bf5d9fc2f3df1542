"""What a user may ask of ``prepare_data``, checked before anything is read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Literal

from recdistill.errors import UserError, require, require_choice

SplitRule = Literal["leave_one_out", "global_temporal", "rolling", "cold_items", "given"]
SourceKind = Literal["auto", "wheel", "url", "path"]
Format = Literal["auto", "movielens", "recbole", "csv", "parquet"]
Treatment = Literal["refuse", "drop"]
UnknownItems = Literal["keep", "drop", "refuse"]
Targets = Literal["first", "last", "all"]
Repeats = Literal["keep", "first"]
LateRows = Literal["keep", "drop", "refuse"]


OF_SPLIT = {"temporal": "global_temporal", "rolling": "rolling", "cold_items": "cold_items"}
"""Groups of settings that mean something to one split alone, and which that is."""


_OF_INTERACTIONS = ("user", "item", "timestamp", "rating")
_OF_ITEMS = ("item_id", "title", "year", "genres")
_LONGEST_NAME = 100
_TAKEN = ('"', "\r", "\n", "\x00")


def _require_shares(group: str, val: float, test: float) -> None:
    for name, share in (("val_share", val), ("test_share", test)):
        require(0 < share < 1, f"{group}.{name} is {share}; it must lie between 0 and 1.")
    require(
        val + test < 1,
        f"{group}.val_share + {group}.test_share is {val + test:g}; it must stay below 1 so that "
        "something is left to train on.",
    )


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
            len(self.separator) <= 1 and self.separator.isascii() and self.separator not in _TAKEN,
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


def parse_day(text: str, setting: str) -> int:
    """Read ``YYYY-MM-DD`` as days since 1970.

    Raises
    ------
    UserError
        When it is no such date, naming the setting.
    """
    try:
        return (date.fromisoformat(text) - date(1970, 1, 1)).days
    except ValueError:
        raise UserError(f"{setting} is {text!r}; write a day as 2026-01-31.") from None


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


@dataclass(frozen=True)
class Temporal:
    """The two cuts of the global temporal split, as shares of all interactions.

    ``targets`` says which of a user's interactions in a window are predicted: the first, the last,
    or all, each from everything before it.
    """

    val_share: float = 0.1
    test_share: float = 0.1
    targets: Targets = "first"

    def __post_init__(self) -> None:
        require_choice("temporal.targets", self.targets, Targets)
        _require_shares("temporal", self.val_share, self.test_share)


@dataclass(frozen=True)
class Rolling:
    """The windows of the split ``rolling``: train until yesterday, test today.

    Attributes
    ----------
    days : length of the test window, the last whole days of the data, and of the one before it,
        which validates.
    val_users : share of the users who validate: their part of the window before the last is held
        out of training, everybody else's trains. 1 holds out the whole window, and models then
        know nothing of the newest one.
    targets : of a user in a window, as in ``Temporal``.
    """

    days: int = 7
    val_users: float = 0.2
    targets: Targets = "first"

    def __post_init__(self) -> None:
        require(self.days >= 1, f"rolling.days is {self.days}; use 1 or more.")
        require(
            0 < self.val_users <= 1,
            f"rolling.val_users is {self.val_users}; it is a share of the users, above 0 up to 1.",
        )
        require_choice("rolling.targets", self.targets, Targets)


@dataclass(frozen=True)
class ColdItems:
    """Shares of the catalog's items that the split ``cold_items`` holds out whole."""

    val_share: float = 0.125
    test_share: float = 0.125

    def __post_init__(self) -> None:
        _require_shares("cold_items", self.val_share, self.test_share)


@dataclass(frozen=True)
class DataConfig:
    """Which data, from where, cleaned and split how.

    Raises
    ------
    UserError
        When a value cannot work, naming the value and what is allowed.
    """

    dataset: str = "ml-100k"
    data_path: str = ""
    source: SourceKind = "auto"
    split: SplitRule = "leave_one_out"
    extends: str = ""
    late_rows: LateRows = "keep"
    until: str = ""
    train_file: str = ""
    val_file: str = ""
    test_file: str = ""
    max_users: int = 0
    min_interactions: int = 0
    seed: int = 0
    columns: Columns = field(default_factory=Columns)
    reading: Reading = field(default_factory=Reading)
    cleaning: Cleaning = field(default_factory=Cleaning)
    temporal: Temporal = field(default_factory=Temporal)
    rolling: Rolling = field(default_factory=Rolling)
    cold_items: ColdItems = field(default_factory=ColdItems)

    def __post_init__(self) -> None:
        require(
            re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", self.dataset) is not None,
            f"dataset is {self.dataset!r}; it names a folder, so use letters, digits, '.', '_' "
            "and '-' only, beginning with a letter or digit.",
        )
        require(
            len(self.dataset) <= _LONGEST_NAME,
            f"dataset has {len(self.dataset)} characters; it names a folder, so use at most "
            f"{_LONGEST_NAME}.",
        )
        require_choice("source", self.source, SourceKind)
        require_choice("split", self.split, SplitRule)
        require(
            self.max_users >= 0, f"max_users is {self.max_users}; use 0 (all users) or a number."
        )
        require(
            self.min_interactions >= 0,
            f"min_interactions is {self.min_interactions}; use 0 (no filter) or a number.",
        )
        require(
            not (self.min_interactions and self.split == "given"),
            "min_interactions cannot be combined with split=given, which takes the files as they "
            "are: filter before you split, or leave min_interactions at 0.",
        )
        require_choice("late_rows", self.late_rows, LateRows)
        require(
            not (self.extends and (self.max_users or self.split == "given")),
            "extends cannot be combined with max_users or split=given: a log grows as a whole.",
        )
        require(
            not (self.until and self.split == "given"),
            "until cannot be combined with split=given, which takes the files as they are.",
        )
        if self.until:
            parse_day(self.until, "until")
        require(self.seed >= 0, f"seed is {self.seed}; use 0 or a larger whole number.")
        self._check_files()

    def unused(self) -> set[str]:
        """Name the settings that mean nothing here: of other splits, of files not given."""
        names = {name for name, split in OF_SPLIT.items() if self.split != split}
        if not self.extends:
            names |= {"extends", "late_rows"}
        if not self.until:
            names.add("until")
        if self.split != "given":
            names |= {"train_file", "val_file", "test_file"}
        if not self.data_path and self.split != "given":
            own_files = {"columns": Columns(), "reading": Reading()}
            names |= {name for name, plain in own_files.items() if getattr(self, name) == plain}
        return names

    @classmethod
    def of(cls, settings: object) -> DataConfig:
        """Collect the data settings among a stage's, by field name; the rest keep defaults."""
        return cls(
            **{f.name: getattr(settings, f.name) for f in fields(cls) if hasattr(settings, f.name)}
        )

    def _check_files(self) -> None:
        files = {n: getattr(self, n) for n in ("train_file", "val_file", "test_file")}
        given = [name for name, path in files.items() if path]
        missing = [name for name, path in files.items() if not path]
        if given:
            require(
                self.split == "given",
                f"{given[0]} is set but split is {self.split}; add split=given to use your own "
                "files, or leave the file out.",
            )
            require(
                not missing,
                f"split=given needs train_file, val_file and test_file; {' and '.join(missing)} "
                f"{'is' if len(missing) == 1 else 'are'} missing.",
            )
        require(
            self.source != "path" or bool(self.data_path or given),
            "source=path needs data_path (a file or folder).",
        )
