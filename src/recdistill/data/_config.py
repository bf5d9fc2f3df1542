"""What a user may ask of ``prepare_data``, checked before anything is read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Literal

from recdistill.data._reading_config import Cleaning, Columns, Reading
from recdistill.data._split_config import ColdItems, Rolling, Temporal
from recdistill.errors import UserError, require, require_choice
from recdistill.object_store import check_paths

SplitRule = Literal["leave_one_out", "global_temporal", "rolling", "cold_items", "given"]
SourceKind = Literal["auto", "wheel", "url", "path"]
LateRows = Literal["keep", "drop", "refuse"]


OF_SPLIT = {"temporal": "global_temporal", "rolling": "rolling", "cold_items": "cold_items"}
"""Groups of settings that mean something to one split alone, and which that is."""


_LONGEST_NAME = 100


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

    def named_files(self) -> dict[str, str]:
        """Return the paths of the user's own files that are given, by the names of the settings."""
        names = ("data_path", "train_file", "val_file", "test_file")
        paths = {name: getattr(self, name) for name in names}
        paths["reading.items_file"] = self.reading.items_file
        return {name: path for name, path in paths.items() if path}

    @classmethod
    def of(cls, settings: object) -> DataConfig:
        """Collect the data settings among a stage's, by field name; the rest keep defaults."""
        return cls(
            **{f.name: getattr(settings, f.name) for f in fields(cls) if hasattr(settings, f.name)}
        )

    def _check_files(self) -> None:
        check_paths(self.named_files())
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
