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
    items = frame(rows)
    items.index = pd.RangeIndex(1, len(rows) + 1, name="item")
    return Catalog(items)


def frame(rows: list[tuple[str, str, str]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=COLUMNS, dtype=object)


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


UNIQUE = st.lists(
    st.tuples(st.text(), st.text(), st.text()), max_size=8, unique_by=lambda row: row[0]
)


@given(UNIQUE, st.data())
def test_a_catalog_grows_at_its_end_and_nothing_else_moves(
    rows: list[tuple[str, str, str]], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(rows)))
    old = catalog(rows[:at])
    new = old.grown(frame(rows[at:]))
    assert new.items.iloc[:at].equals(old.items)
    assert new.items["raw_id"].tolist() == [raw_id for raw_id, _, _ in rows]
    assert (new.parent, new.n_parent_items) == (old.digest, at)
    assert new.digest == catalog(rows).digest, "the content alone makes the digest"
    assert (new.digest == old.digest) == (at == len(rows))


@given(UNIQUE, st.data())
def test_every_earlier_state_is_recognised_and_no_other_catalog(
    rows: list[tuple[str, str, str]], data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), min_size=1, max_size=3)))
    states = [catalog(rows[: cuts[0]])]
    for start, stop in zip(cuts, [*cuts[1:], len(rows)], strict=True):
        states.append(states[-1].grown(frame(rows[start:stop])))
    for state in states:
        assert states[-1].grew_from(state.digest, state.n_items)
        assert states[-1].first(state.n_items).digest == state.digest
    if rows:
        changed = catalog([(rows[0][0] + "x", *rows[0][1:]), *rows[1:]])
        assert not changed.grew_from(states[-1].digest, states[-1].n_items)
    assert not states[-1].grew_from(states[-1].digest, states[-1].n_items + 1)


def test_an_item_never_gets_a_second_id() -> None:
    old = catalog([("a", "A", "A"), ("b", "B", "B")])
    with pytest.raises(ValueError, match="'b' has an id already"):
        old.grown(frame([("c", "C", "C"), ("b", "B", "B")]))
    with pytest.raises(ValueError, match="'c' has an id already"):
        old.grown(frame([("c", "C", "C"), ("c", "C", "C")]))
    with pytest.raises(ValueError, match="columns"):
        old.grown(frame([("c", "C", "C")]).assign(description="words"))
    with pytest.raises(ValueError, match="has 2 items, not 3"):
        old.first(3)
