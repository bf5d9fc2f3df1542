"""A grown folder is what preparing both logs together gives, but for the numbers of the items."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recdistill.data import Cleaning, DataConfig, PreparedData, Rolling, prepare
from recdistill.data._extend import joined
from recdistill.data._interactions import clean
from recdistill.data._raw import RawData
from recdistill.errors import UserError

from .conftest import ROWS, write_rows
from .test_splits import raw

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Row = tuple[int, int, int]
LOG = st.lists(
    st.tuples(st.integers(1, 6), st.integers(1, 12), st.integers(0, 30)), min_size=8, max_size=50
)
NEW = [("cleo", "e", 50), ("dora", "a", 55), ("dora", "e", 60), ("ann", "c", 65)]


def histories(log: RawData, known: object = None) -> dict[str, list[str]]:
    """Each user's raw items in order."""
    data, _ = clean(log, DataConfig(dataset="drawn", data_path="x"), known)  # type: ignore[arg-type]
    names = data.catalog.items["raw_id"]
    out: dict[str, list[str]] = {}
    for user, item in zip(data.rows["user"], data.rows["item"], strict=True):
        out.setdefault(str(data.users[user]), []).append(names[item])
    return out


def with_ratings(rows: list[Row], ratings: list[float]) -> RawData:
    return RawData(raw(rows).interactions.assign(rating=ratings), None, True, "", {})


def union(one: list[Row], two: list[Row]) -> Counter[Row]:
    """Every row as often as the fuller of the two logs has it."""
    return Counter(one) | Counter(two)


@settings(max_examples=60, deadline=None)
@given(LOG, st.data())
def test_a_grown_log_is_the_logs_together_whatever_is_late_or_there_already(
    rows: list[Row], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(4, len(rows) - 1))
    old = rows[:cut]
    new = [*data.draw(st.lists(st.sampled_from(old), max_size=6)), *rows[cut:]]
    grown, added = joined(raw(old), raw(new), "keep")
    found = Counter(grown.interactions[["user", "item", "order"]].itertuples(False, None))
    assert found == union(old, new)
    assert added.new + added.late + added.again == len(new)
    end = max(order for _, _, order in old)
    assert added.new == sum(order > end for _, _, order in new)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(LOG, st.data())
def test_growing_equals_preparing_the_concatenated_log(
    rows: list[Row], data: st.DataObject
) -> None:
    """Later rows alone: histories, users and item words agree; old ids never move."""
    rows = sorted(rows, key=lambda row: row[2])
    cut = data.draw(st.integers(4, len(rows) - 1))
    later = [(user, item, order + 100) for user, item, order in rows[cut:]]
    try:
        known = clean(raw(rows[:cut]), DataConfig(dataset="drawn", data_path="x"))[0].catalog
    except UserError:  # no user has two rows yet
        return
    grown, _ = joined(raw(rows[:cut]), raw(later), "refuse")
    config = DataConfig(dataset="drawn", data_path="x")
    catalog = clean(grown, config, known)[0].catalog
    whole = raw([*rows[:cut], *later])
    assert histories(grown, known) == histories(whole)
    assert catalog.grew_from(known.digest, known.n_items)
    together = clean(whole, config)[0].catalog.items
    assert set(catalog.items.itertuples(False, None)) == set(together.itertuples(False, None))


@pytest.fixture
def grow(folder: Path, tmp_path: Path) -> Callable[..., PreparedData]:
    """Extend the small shop by a file of rows."""

    def it(parent: PreparedData | str, rows: list[tuple[str, str, int]], **changed: object):  # type: ignore[no-untyped-def]
        path = write_rows(tmp_path / "new.csv", rows)
        extends = parent if isinstance(parent, str) else parent.folder.name
        given = {"dataset": "shop", "data_path": str(path), "extends": extends} | changed
        return prepare(DataConfig(**given), tmp_path / "data")  # type: ignore[arg-type]

    return it


def test_ids_stay_digests_name_their_parents_and_the_counts_are_said(
    shop: Callable[..., PreparedData], grow: Callable[..., PreparedData]
) -> None:
    before = shop()
    after = grow(before, NEW)
    assert after.catalog.items["raw_id"].tolist() == ["a", "b", "c", "d", "e"]
    assert after.catalog.parent == before.catalog.digest
    assert after.users.tolist() == ["ann", "bob", "cleo", "dora"]
    parent = json.loads((after.folder / "manifest.json").read_text())["parent"]
    assert parent == {
        "folder": "shop", "catalog_digest": before.catalog.digest,
        "split_digest": before.split_digest, "n_items": 4, "n_new_items": 1, "n_new_users": 1,
        "rows": {"new": 4, "late": 0, "again": 0, "corrected": 0},
    }  # fmt: skip
    assert after.folder != before.folder
    assert grow(before, NEW).split_digest == after.split_digest, "found again"


def test_the_whole_log_once_more_and_the_new_rows_alone_give_the_same(
    shop: Callable[..., PreparedData], grow: Callable[..., PreparedData], tmp_path: Path
) -> None:
    alone = grow(shop(), NEW)
    write_rows(tmp_path / "new.csv", [*ROWS, *NEW])
    again = prepare(
        DataConfig(dataset="other", data_path=str(tmp_path / "new.csv"), extends="shop"),
        tmp_path / "data",
    )
    assert again.split_digest == alone.split_digest
    assert again.manifest["parent"]["rows"]["again"] == len(ROWS)
    assert again.manifest["dropped"]["rows_again"] == len(ROWS)


def test_two_steps_are_one(
    shop: Callable[..., PreparedData], grow: Callable[..., PreparedData]
) -> None:
    first = grow(shop(), NEW[:2])
    second = grow(first, NEW[2:])
    at_once = grow("shop", NEW, dataset="another")
    assert second.split_digest == at_once.split_digest
    assert second.catalog.grew_from(first.catalog.digest, first.catalog.n_items)


@pytest.mark.parametrize("late", ["keep", "drop", "refuse"])
def test_late_rows_by_the_stated_rule(
    late: str, shop: Callable[..., PreparedData], grow: Callable[..., PreparedData]
) -> None:
    before, rows = shop(), [("bob", "b", 1), ("ann", "a", 90)]
    if late == "refuse":
        with pytest.raises(UserError, match="1 rows are not later than the newest row"):
            grow(before, rows, late_rows=late)
        return
    after = grow(before, rows, late_rows=late)
    bob = after.train.row(after.users.tolist().index("bob"))
    assert after.catalog.items["raw_id"][bob].tolist() == (["b", "a"] if late == "keep" else ["a"])
    assert after.manifest["parent"]["rows"]["late"] == 1


def test_a_rating_that_comes_again_replaces_the_old_one() -> None:
    rated = RawData(
        raw([(1, 1, 0), (1, 2, 5)]).interactions.assign(rating=[1.0, 4.0]), None, True, "", {}
    )
    again = RawData(raw([(1, 1, 0)]).interactions.assign(rating=[5.0]), None, True, "", {})
    grown, added = joined(rated, again, "refuse")
    assert grown.interactions["rating"].tolist() == [5.0, 4.0]
    assert (added.again, added.corrected) == (1, 1)
    with pytest.raises(UserError, match="has ratings and the new file has none"):
        joined(rated, raw([(1, 1, 9)]), "keep")


def test_known_items_keep_their_titles_and_new_ones_bring_theirs(
    shop: Callable[..., PreparedData], grow: Callable[..., PreparedData], tmp_path: Path
) -> None:
    before = shop()
    (tmp_path / "items.csv").write_text("item,title\na,Another\ne,Eden\n")
    after = grow(before, NEW)
    assert after.catalog.items["title"].tolist() == ["Alien", "Brazil", "Casino", "Diva", "Eden"]
    assert any(f["name"] == "changed_titles" for f in after.manifest["findings"])


def test_what_cannot_be_extended_is_one_sentence(
    shop: Callable[..., PreparedData], grow: Callable[..., PreparedData], tmp_path: Path
) -> None:
    before = shop()
    with pytest.raises(UserError, match="neither that folder nor"):
        grow("nothing", NEW)
    with pytest.raises(UserError, match="was prepared with other cleaning"):
        grow(before, NEW, cleaning=Cleaning(repeats="first"))
    manifest = before.folder / "manifest.json"
    plain = json.loads(manifest.read_text())
    del plain["files"]["log/interactions.arrow"]
    manifest.write_text(json.dumps(plain))
    with pytest.raises(UserError, match="an earlier version, which kept no log"):
        grow(before, NEW)
    with pytest.raises(UserError, match="extends cannot be combined with max_users"):
        DataConfig(extends="x", max_users=5)


def test_a_damaged_log_is_refused(
    shop: Callable[..., PreparedData], grow: Callable[..., PreparedData]
) -> None:
    path = shop().folder / "log" / "interactions.arrow"
    path.write_bytes(path.read_bytes()[:-9] + b"012345678")
    with pytest.raises(UserError, match=r"interactions\.arrow was changed"):
        grow("shop", NEW)


def test_a_parent_prepared_anew_is_noticed(
    shop: Callable[..., PreparedData], grow: Callable[..., PreparedData], folder: Path
) -> None:
    grow(shop(), NEW)
    write_rows(folder / "interactions.csv", [*ROWS, ("bob", "b", 26)])
    prepare(DataConfig(dataset="shop", data_path=str(folder)), folder.parent / "data", rebuild=True)
    with pytest.raises(UserError, match="held before it was prepared anew"):
        grow("shop", NEW)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(
    st.lists(
        st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(0, 20)),
        min_size=30,
        max_size=80,
    ),
    st.integers(1, 6),
    st.sampled_from(["first", "last", "all"]),
)
def test_rolling_tests_the_last_days_and_never_trains_on_them(
    rows: list[Row], length: int, targets: str
) -> None:
    from recdistill.data._splits import TEST, TRAIN, VAL, split

    seconds = [(user, item, day * 86_400) for user, item, day in rows]
    config = DataConfig(split="rolling", rolling=Rolling(length, 0.5, targets))  # type: ignore[arg-type]
    data, _ = clean(raw(seconds), DataConfig(dataset="drawn", data_path="x"))
    try:
        cut = split(data, config)
    except UserError:  # a part is empty
        return
    day = cut.rows["order"].to_numpy() // 86_400
    part = cut.rows["part"].to_numpy()
    end = int(data.rows["order"].max()) // 86_400 + 1
    assert (day[part == TEST] >= end - length).all()
    assert (day[part != TEST] < end - length).all()
    assert (day[part == VAL] >= end - 2 * length).all()
    validating = set(cut.rows["user"][part == VAL])
    trained_late = set(cut.rows["user"][(part == TRAIN) & (day >= end - 2 * length)])
    assert not validating & trained_late, "a user validates or trains in the window, not both"
    if targets == "first":
        assert cut.rows[cut.rows["target"]].groupby(["user", "part"]).size().max() == 1


def test_until_is_the_data_as_they_were_that_morning(
    tmp_path: Path, shop: Callable[..., PreparedData]
) -> None:
    times = [day * 86_400 + 3_600 for day in (0, 1, 1, 2, 2, 3, 4, 9)]
    rows = list(zip("aabbaabb", "xyxyzzxy", times, strict=True))
    path = write_rows(tmp_path / "dated.csv", rows)
    given = {"dataset": "dated", "data_path": str(path), "split": "rolling"}
    rolling = Rolling(1, 1.0)
    data = prepare(DataConfig(**given, until="1970-01-05", rolling=rolling), tmp_path / "data")  # type: ignore[arg-type]
    assert data.manifest["days"] == ["1970-01-01", "1970-01-04"]
    assert data.manifest["dropped"]["from_until_on"] == 2
    with pytest.raises(UserError, match="no interaction before 1970-01-01"):
        prepare(DataConfig(**given, until="1970-01-01"), tmp_path / "data")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="write a day as 2026-01-31"):
        DataConfig(until="tomorrow")


def test_plain_numbers_are_read_in_the_unit_that_fits() -> None:
    from recdistill.data._days import day_name, days_of

    day = 20_000
    for factor in (1, 10**3, 10**6, 10**9):
        assert days_of(np.array([(day * 86_400 + 5) * factor]), "number").tolist() == [day]
    assert days_of(np.array([-1]), "s").tolist() == [-1]
    assert day_name(day) == "2024-10-04"
