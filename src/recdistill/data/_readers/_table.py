"""Delimited text into text columns, keeping line numbers and every row that does not fit."""

from __future__ import annotations

import csv as stdlib_csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyarrow import csv

from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Table:
    """Text columns, the file line of each row, and the rows that had the wrong number of fields."""

    frame: pd.DataFrame
    lines: NDArray[np.int64]
    malformed: list[tuple[int, str]]


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
    if "\x00" in text:
        line = text.count("\n", 0, text.index("\x00")) + 1
        raise UserError(
            f"{name} holds zero bytes (line {line}), so it is not plain text in this encoding: set "
            "reading.encoding (for example utf-16) or give a text file."
        )
    return text


def parse(
    text: str, name: str, *, separator: str, columns: Sequence[str] | None, quoted: bool
) -> Table:
    """Split text into columns.

    Parameters
    ----------
    columns : names, when the text has no header line; ``None`` reads the header.
    quoted : whether a field may be wrapped in double quotes.
    """
    if len(separator) > 1:
        # The parser wants one byte; the unit separator never occurs in such files.
        text, separator = text.replace(separator, "\x1f"), "\x1f"
    header_lines = 0 if columns is not None else 1
    skipped: list[tuple[int, str]] = []

    def note(row: csv.InvalidRow) -> str:
        plural = "field" if row.actual_columns == 1 else "fields"
        skipped.append(
            (row.number, f"{row.actual_columns} {plural} instead of {row.expected_columns}")
            if row.text.strip()
            else (row.number, "")
        )
        return "skip"

    if columns is None:
        header = text.split("\n", 1)[0].rstrip("\r")
        split = (
            next(stdlib_csv.reader([header], delimiter=separator), [])
            if quoted
            else header.split(separator)
        )
        names = [h.strip() for h in split]
        if len(set(names)) < len(names):
            raise UserError(f"{name} names a column twice in its header: {', '.join(names)}.")
    else:
        names = list(columns)
    try:
        table = csv.read_csv(
            io.BytesIO(text.encode("utf-8")),
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
                column_types={n: pa.string() for n in names}, strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise UserError(
            f"{name} cannot be read as a table: {str(error).splitlines()[0]}."
        ) from None
    numbers = np.arange(1, table.num_rows + len(skipped) + 1, dtype=np.int64) + header_lines
    out = np.array([number for number, _ in skipped], dtype=np.int64)
    lines = np.setdiff1d(numbers, out, assume_unique=True)
    # pandas keeps Arrow's own memory for text: nothing is copied into Python objects here.
    frame = table.to_pandas()
    malformed = [(line, what) for line, what in skipped if what]
    drop = (frame == "").all(axis=1).to_numpy()
    if quoted and '"' in text:
        drop = drop | _over_lines(frame, lines, malformed)
    return Table(frame[~drop].reset_index(drop=True), lines[~drop], malformed)


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
