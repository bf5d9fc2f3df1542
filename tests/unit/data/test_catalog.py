"""Ids 1..n, and a digest that changes with the content and with nothing else."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.data import Catalog
from recdistill.errors import UserError

COLUMNS = ["raw_id", "title", "text"]
ITEMS = st.lists(st.tuples(st.text(), st.text(), st.text()), min_size=1, max_size=5)


def catalog(rows: list[tuple[str, str, str]]) -> Catalog:
    index = pd.RangeIndex(1, len(rows) + 1, name="item")
    return Catalog(pd.DataFrame(rows, columns=COLUMNS, index=index, dtype=object))


@given(ITEMS)
def test_equal_content_has_an_equal_digest(rows: list[tuple[str, str, str]]) -> None:
    assert catalog(rows).digest == catalog(list(rows)).digest


@given(ITEMS, st.data())
def test_any_change_of_content_changes_the_digest(
    rows: list[tuple[str, str, str]], data: st.DataObject
) -> None:
    at, column = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(0, 2))
    changed = [list(row) for row in rows]
    changed[at][column] += "x"
    assert catalog(rows).digest != catalog([tuple(row) for row in changed]).digest  # type: ignore[misc]


def test_ids_must_be_contiguous_from_one() -> None:
    with pytest.raises(ValueError, match=r"1\.\.n"):
        Catalog(pd.DataFrame([("a", "A", "A")], columns=COLUMNS, index=[0]))


def test_another_catalog_is_refused_with_both_digests_named() -> None:
    mine, other = catalog([("1", "A", "A")]), catalog([("1", "B", "B")])
    mine.require(mine.digest, "The model")
    with pytest.raises(UserError, match="The model") as refused:
        mine.require(other.digest, "The model")
    assert mine.digest[:12] in str(refused.value)
    assert other.digest[:12] in str(refused.value)
