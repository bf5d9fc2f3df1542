"""Damaged files of every format are read or refused in one sentence, never a traceback.

``found/`` keeps the files of every case that once was one: a folder each, read anew by every run.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recdistill.data import Cleaning, DataConfig, Reading, prepare
from recdistill.data._interactions import clean
from recdistill.data._sources import load
from recdistill.data._splits import split
from recdistill.errors import UserError
from tests.hangs import no_hang

from .test_readers import WRITERS

if TYPE_CHECKING:
    from collections.abc import Callable

FOUND = sorted((Path(__file__).parent / "found").iterdir())
FRAGMENTS = [
    b"\n", b"\r", b'"', b'""', b",", b"\t", b"::", b"\0", b"\xff", b"\xef\xbb\xbf", b"nan", b"1.0",
    b"1e999", b"9" * 20, b"\x1e", b"\x1f", b'",\n', b"\xed\xa0\x80", b"\n\n\n", b'"\n"\n"\n',
]  # fmt: skip
PLACE = st.integers(0, 10**6)
EDITS = st.lists(
    st.one_of(
        st.tuples(PLACE, st.just(1), st.binary(min_size=1, max_size=1)),  # replace a byte
        st.tuples(PLACE, st.integers(0, 2), st.sampled_from(FRAGMENTS)),  # put something in
        st.tuples(PLACE, st.integers(1, 200), st.just(b"")),  # cut something out
    ),
    min_size=1,
    max_size=5,
)


def damaged(content: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for place, length, put in edits:
        at = place % (len(content) + 1)
        content = content[:at] + put + content[at + length :]
    return content


def read_whole(config: DataConfig) -> None:
    """Go the whole way but writing; a refusal must be one line."""
    said = "nothing"
    try:
        with no_hang():
            data, _ = clean(load(config), config)
            split(data, config)
    except UserError as refused:
        said = str(refused)
    assert len(said.splitlines()) == 1, repr(said)


@settings(
    max_examples=int(os.environ.get("CASES", "40")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    edits=EDITS,
    of_items=st.booleans(),
    treatment=st.sampled_from(["refuse", "drop"]),
    encoding=st.sampled_from(["auto", "auto", "latin-1", "utf-16", "utf-7"]),
)
@pytest.mark.parametrize("writer", WRITERS)
def test_a_damaged_file_is_read_or_refused(
    writer: Callable[[Path], Path],
    edits: list[tuple[int, int, bytes]],
    of_items: bool,
    treatment: str,
    encoding: str,
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = writer(Path(scratch) / "data")
        path = sorted(folder.iterdir(), key=lambda p: "item" in p.name or "movies" in p.name)[
            -1 if of_items else 0
        ]
        path.write_bytes(damaged(path.read_bytes(), edits))
        read_whole(
            DataConfig(
                dataset="x",
                data_path=str(folder),
                reading=Reading(encoding=encoding),
                cleaning=Cleaning(malformed=treatment),  # type: ignore[arg-type]
            )
        )


@pytest.mark.parametrize("folder", FOUND, ids=lambda p: p.name)
@pytest.mark.parametrize("treatment", ["refuse", "drop"])
def test_what_was_found_stays_mended(folder: Path, treatment: str, tmp_path: Path) -> None:
    cleaning = Cleaning(malformed=treatment)  # type: ignore[arg-type]
    config = DataConfig(dataset="x", data_path=str(folder), cleaning=cleaning)
    with pytest.raises(UserError) as refused:
        prepare(config, tmp_path / "data")
    assert len(str(refused.value).splitlines()) == 1
