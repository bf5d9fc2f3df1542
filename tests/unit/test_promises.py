"""Every promise, and every fault that was found, names the tests that keep it; each exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def rows(page: str) -> list[tuple[str, str]]:
    """Return the rows of a page's tables with two columns, the second of which names tests."""
    lines = (ROOT / page).read_text("utf-8").splitlines()
    cells = [line.strip("|").split(" | ") for line in lines if line.startswith("| ")]
    heads = ("Promise", "Finding", "Command", "Tried")
    named = [[cell.strip() for cell in row] for row in cells if row[0].strip() not in heads]
    return [(row[0], row[1]) for row in named if len(row) == 2 and "python -m" not in row[0]]


ROWS = rows("docs/promises.md") + rows("tests/faults/README.md")


@pytest.mark.parametrize(("promise", "keepers"), ROWS, ids=[row[0] for row in ROWS])
def test_a_promise_names_the_tests_that_keep_it(promise: str, keepers: str) -> None:
    named = re.findall(r"`(tests/[^`:]+)(?:::(test_\w+))?`", keepers)
    assert named, promise
    for path, test in named:
        assert (ROOT / path).is_file(), f"{path} is gone"
        assert Path(path).name.startswith("test_")
        assert f"def {test}(" in (ROOT / path).read_text("utf-8") or not test, f"{test} is gone"


def test_all_seventeen_findings_are_there() -> None:
    numbers = [int(found[1]) for row in ROWS if (found := re.match(r"(\d+)\. ", row[0]))]
    assert numbers == list(range(1, 18))
