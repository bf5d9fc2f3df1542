"""Every promise of docs/promises.md names its tests; test_documents holds that each exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in (ROOT / "docs" / "promises.md").read_text("utf-8").splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| Promise"))
]


@pytest.mark.parametrize(("promise", "keepers"), ROWS, ids=[row[0] for row in ROWS])
def test_a_promise_names_the_tests_that_keep_it(promise: str, keepers: str) -> None:
    named = re.findall(r"`(tests/[^`:]+)(?:::test_\w+)?`", keepers)
    assert named, promise
    for path in named:
        assert (ROOT / path).is_file(), f"{path} is gone"
        assert Path(path).name.startswith("test_")
