"""Delimited text into text columns, keeping line numbers and every row that does not fit."""

from __future__ import annotations

import csv as stdlib_csv
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyarrow import csv

from recdistill.data._raw import first_few
from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Table:
    """Rows of a file as they stand there.

    Attributes
    ----------
    frame : the columns that were asked for, of those that are there
    lines : the file line of each row
    malformed : rows that had the wrong number of fields, as (line, what is wrong)
    columns : names of all the file's columns
    """

    frame: pd.DataFrame
    lines: NDArray[np.int64]
    malformed: list[tuple[int, str]]
    columns: list[str]


def decode(data: bytes, name: str, encoding: str, fallback: str = "") -> str:
    """Bytes as text.

    Parameters
    ----------
    encoding : "auto" is UTF-8, then ``fallback`` where one is given.

    Raises
    ------
    UserError
        Naming the first line that is not text in this encoding.
    """
    if not data.strip():
        raise UserError(f"{name} is empty: it has no rows to read.")
    tried = "utf-8-sig" if encoding == "auto" else encoding
    try:
        text = data.decode(tried)
    except UnicodeDecodeError as error:
        if encoding == "auto" and fallback:
            return data.decode(fallback)
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{name} is not {'UTF-8' if encoding == 'auto' else encoding} text (line {line}, byte "
            f"0x{data[error.start]:02x}): set reading.encoding to the file's encoding, for example "
            "latin-1."
        ) from None
    except ValueError as error:  # some codecs refuse without naming a place
        raise UserError(
            f"{name} is not {encoding} text ({str(error)[:200]}): set reading.encoding to the "
            "file's encoding."
        ) from None
    if "\x00" in text:
        line = text.count("\n", 0, text.index("\x00")) + 1
        raise UserError(
            f"{name} holds zero bytes (line {line}), so it is not plain text in this encoding: set "
            "reading.encoding (for example utf-16) or give a text file."
        )
    return text


def parse(
    text: str,
    name: str,
    *,
    separator: str,
    columns: Sequence[str] | None,
    quoted: bool,
    wanted: Sequence[str] | None = None,
) -> Table:
    """Split text into columns.

    Parameters
    ----------
    columns : names, when the text has no header line; ``None`` reads the header.
    quoted : whether a field may be wrapped in double quotes.
    wanted : names of the columns to keep, where they are there; ``None`` keeps all.
    """
    if "\n" not in text:  # an old Mac's line ends
        text = text.replace("\r", "\n")
    if len(separator) > 1:
        # The parser wants one byte; the unit separator never occurs in such files.
        text, separator = text.replace(separator, "\x1f"), "\x1f"
    names = _header(text, name, separator, quoted=quoted) if columns is None else list(columns)
    # None wanted is there: the caller will say so, naming those that are.
    kept = [n for n in names if wanted is None or n in wanted] or names
    try:
        encoded = text.encode("utf-8")
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise UserError(
            f"{name} holds half a character (line {line}): set reading.encoding to the file's "
            "encoding."
        ) from None
    header_lines = 0 if columns is not None else 1
    table, skipped = _read(encoded, name, separator, names, kept, header_lines, quoted=quoted)
    lines = np.arange(1, table.num_rows + len(skipped) + 1, dtype=np.int64) + header_lines
    if skipped:
        lines = lines[~np.isin(lines, [number for number, _ in skipped])]
    if len(lines) != table.num_rows:
        raise UserError(f"The lines of {name} cannot be counted: it may hold a quote left open.")
    # pandas keeps Arrow's own memory for text: nothing is copied into Python objects here.
    frame = table.to_pandas()
    malformed = [(line, what) for line, what in skipped if what]
    drop = np.ones(len(frame), dtype=bool)
    for column in frame:
        drop &= (frame[column] == "").to_numpy(bool)
    if drop.any() and len(kept) < len(names):
        # Blank in the wanted columns only, or in all? Seldom asked, so the rest is read only now.
        return parse(text, name, separator=separator, columns=columns, quoted=quoted)
    if quoted and text.find('"', text.find("\n") + 1) >= 0:  # below the header
        drop = drop | _over_lines(frame, lines, malformed)
    if drop.any():
        frame, lines = frame[~drop].reset_index(drop=True), lines[~drop]
    return Table(frame, lines, malformed, names)


def _header(text: str, name: str, separator: str, *, quoted: bool) -> list[str]:
    """Column names of the first line."""
    header = _LINE_END.split(text, maxsplit=1)[0]
    try:
        split = (
            next(stdlib_csv.reader([header], delimiter=separator), [])
            if quoted
            else header.split(separator)
        )
    except stdlib_csv.Error as error:
        raise UserError(f"The header of {name} cannot be read ({error}).") from None
    names = [h.strip() for h in split]
    if not any(names):
        raise UserError(f"The first line of {name} is empty: it must name the columns.")
    if len(set(names)) < len(names):
        raise UserError(f"{name} names a column twice in its header: {first_few(names, 20)}.")
    return names


def _read(
    encoded: bytes,
    name: str,
    separator: str,
    names: list[str],
    kept: list[str],
    header_lines: int,
    *,
    quoted: bool,
) -> tuple[pa.Table, list[tuple[int, str]]]:
    """Read the kept columns as text, and the rows that do not fit: (number, what; blank: "")."""
    skipped: list[tuple[int, str]] = []

    def note(row: csv.InvalidRow) -> str:
        plural = "field" if row.actual_columns == 1 else "fields"
        skipped.append(
            (row.number, f"{row.actual_columns} {plural} instead of {row.expected_columns}")
            if row.text.strip()
            else (row.number, "")
        )
        return "skip"

    try:
        table = csv.read_csv(
            pa.BufferReader(encoded),
            # Row numbers reach the handler only from a single thread.
            read_options=csv.ReadOptions(
                use_threads=False, column_names=names, skip_rows=header_lines
            ),
            parse_options=csv.ParseOptions(
                delimiter=separator,
                quote_char='"' if quoted else False,
                newlines_in_values=quoted,
                ignore_empty_lines=False,
                invalid_row_handler=note,
            ),
            convert_options=csv.ConvertOptions(
                column_types={n: pa.string() for n in kept},
                include_columns=kept,
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        raise UserError(
            f"{name} cannot be read as a table: {str(error).splitlines()[0]}."
        ) from None
    return table, skipped


def _over_lines(
    frame: pd.DataFrame, lines: NDArray[np.int64], malformed: list[tuple[int, str]]
) -> NDArray[np.bool_]:
    """Find rows whose quotes run over line ends, which is how an unclosed quote eats its followers.

    They join ``malformed``, and all line numbers after them are put right, in place.
    """
    n_ends = sum((frame[c].str.count("\n") for c in frame), np.zeros(len(frame)))
    extra = np.asarray(n_ends, dtype=np.int64)
    over = extra > 0
    if over.any():
        before = np.concatenate([[0], np.cumsum(extra)])
        at = np.searchsorted(lines, [line for line, _ in malformed])
        malformed[:] = [
            (line + int(before[i]), what) for (line, what), i in zip(malformed, at, strict=True)
        ]
        lines += before[:-1]
        malformed += [
            (int(line), f"a quote opens here and runs over {n} more lines")
            for line, n in zip(lines[over], extra[over], strict=True)
        ]
    return over
