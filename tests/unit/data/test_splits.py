"""Laws of the split rules, on drawn interactions and on the small shop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill.data import DataConfig
from recdistill.data._cold_items import COLD_IN_TEST, COLD_IN_VAL, WARM, draw
from recdistill.data._interactions import clean
from recdistill.data._raw import RawData
from recdistill.data._split_config import ColdItems, Temporal
from recdistill.data._splits import TEST, TRAIN, VAL, parts_of, split
from recdistill.errors import UserError

from .conftest import ROWS, write_rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from recdistill.data import PreparedData

TRIPLES = st.lists(
    st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(0, 12)), min_size=12, max_size=60
)


def raw(rows: list[tuple[int, int, int]]) -> RawData:
    frame = pd.DataFrame(rows, columns=["user", "item", "order"])
    frame["line"] = np.arange(1, len(frame) + 1)
    return RawData(frame, None, True, "timestamp", {})


def kept(rows: list[tuple[int, int, int]]) -> list[list[int]]:
    """Raw items of each user with two rows or more, in order, written the slow way."""
    by_user: dict[int, list[tuple[int, int, int]]] = {}
    for place, (user, item, order) in enumerate(rows):
        by_user.setdefault(user, []).append((order, place, item))
    return [
        [item for _, _, item in sorted(by_user[user])]
        for user in sorted(by_user)
        if len(by_user[user]) > 1
    ]


@settings(max_examples=40, deadline=None)
@given(TRIPLES)
def test_leave_one_out_parts_are_disjoint_and_rejoin(rows: list[tuple[int, int, int]]) -> None:
    histories = kept(rows)
    data, _ = clean(raw(rows), DataConfig(dataset="drawn", data_path="x"))
    if not any(len(h) >= 3 for h in histories):
        with pytest.raises(UserError, match="no validation case"):
            split(data, DataConfig())
        return
    cut = split(data, DataConfig())
    train, val, test = parts_of(cut.rows, len(cut.users))
    raw_of = data.catalog.items["raw_id"].astype(int).to_dict()
    longer = [i for i, h in enumerate(histories) if len(h) >= 3]
    assert val.users.tolist() == test.users.tolist() == longer
    for user, history in enumerate(histories):
        items = [raw_of[i] for i in train.row(user).tolist()]
        assert items == (history[:-2] if user in longer else history)
    for case, user in enumerate(longer):
        assert raw_of[int(test.targets[case])] == histories[user][-1]
        assert raw_of[int(val.targets[case])] == histories[user][-2]
        assert test.history.row(case).tolist()[:-1] == val.history.row(case).tolist()
        assert test.history.row(case)[-1] == val.targets[case]
        assert val.history.row(case).tolist() == train.row(user).tolist()


@settings(max_examples=40, deadline=None)
@given(TRIPLES, st.floats(0.05, 0.4), st.floats(0.05, 0.4))
def test_temporal_split_never_trains_on_the_future(
    rows: list[tuple[int, int, int]], val_share: float, test_share: float
) -> None:
    config = DataConfig(split="global_temporal", temporal=Temporal(val_share, test_share))
    try:
        data, _ = clean(raw(rows), config)
        cut = split(data, config).rows
    except UserError:
        return
    order, part = cut["order"].to_numpy(), cut["part"].to_numpy()
    target = cut["target"].to_numpy()
    assert order[part == TRAIN].max() < order[part == VAL].min()
    assert order[part == VAL].max() < order[part == TEST].min()
    assert not target[part == TRAIN].any()
    for code in (VAL, TEST):
        users = cut["user"][(part == code) & target]
        assert users.is_unique
    train, val, test = parts_of(cut, int(cut["user"].max()) + 1)
    assert (val.history.lengths > 0).all()
    assert (test.history.lengths > 0).all()
    assert len(train) == cut["user"].nunique()


@settings(max_examples=40, deadline=None)
@given(TRIPLES, st.randoms(use_true_random=False))
def test_order_of_users_in_the_file_does_not_matter(rows, draw) -> None:  # type: ignore[no-untyped-def]
    users = sorted({user for user, _, _ in rows})
    draw.shuffle(users)
    regrouped = [row for user in users for row in rows if row[0] == user]
    config = DataConfig(dataset="drawn", data_path="x")
    one, _ = clean(raw(rows), config)
    two, _ = clean(raw(regrouped), config)
    assert one.catalog.digest == two.catalog.digest
    pd.testing.assert_frame_equal(one.rows, two.rows)


def test_temporal_cut_is_the_stated_one(shop: Callable[..., PreparedData]) -> None:
    data = shop(split="global_temporal", temporal=Temporal(0.2, 0.2))
    # Times 5, 10, 15, 20, 25, 30, 35 | 40, 45: shares .6 and .8 of nine rows cut at 30 and 40.
    assert "before 30 train" in data.manifest["rule"]
    assert "from 40 on" in data.manifest["rule"]
    titles = data.catalog.items["title"]
    val = {data.users[u]: titles[t] for u, t in zip(data.val.users, data.val.targets, strict=True)}
    test = {
        data.users[u]: titles[t] for u, t in zip(data.test.users, data.test.targets, strict=True)
    }
    assert val == {"ann": "Brazil"}
    # Cleo's first row lies in the validation window without history, so it is history for test.
    assert test == {"ann": "Diva", "cleo": "Alien"}


def test_temporal_split_without_timestamps_is_refused(
    folder: Path, shop: Callable[..., PreparedData]
) -> None:
    lines = [f"{user},{item}" for user, item, _ in ROWS]
    (folder / "interactions.csv").write_text("\n".join(["user,item", *lines]) + "\n")
    with pytest.raises(UserError, match="no timestamps: use split=leave_one_out"):
        shop(split="global_temporal")


def given_files(folder: Path) -> dict[str, str]:
    write_rows(folder / "train.csv", [("ann", "a", 1), ("ann", "b", 2), ("bob", "c", 3)])
    write_rows(folder / "val.csv", [("ann", "c", 4), ("dan", "a", 4), ("dan", "b", 5)])
    write_rows(folder / "test.csv", [("ann", "d", 6), ("bob", "a", 7), ("bob", "d", 8)])
    return {f"{part}_file": str(folder / f"{part}.csv") for part in ("train", "val", "test")}


def test_given_split_takes_the_last_row_as_target_and_the_rest_as_history(
    folder: Path, shop: Callable[..., PreparedData]
) -> None:
    data = shop(split="given", data_path="", **given_files(folder))
    title = data.catalog.items["title"]
    assert data.users.tolist() == ["ann", "bob", "dan"]
    assert [[title[i] for i in data.train.row(u)] for u in range(3)] == [
        ["Alien", "Brazil"], ["Casino"], []]  # fmt: skip
    cases = [
        (str(data.users[u]), [title[i] for i in part.history.row(n)], title[part.targets[n]])
        for part in (data.val, data.test)
        for n, u in enumerate(part.users)
    ]
    assert cases == [
        ("ann", ["Alien", "Brazil"], "Casino"),
        ("dan", ["Alien"], "Brazil"),
        ("ann", ["Alien", "Brazil", "Casino"], "Diva"),
        ("bob", ["Casino", "Alien"], "Diva"),
    ]


def test_given_files_that_share_a_row_are_refused(
    folder: Path, shop: Callable[..., PreparedData]
) -> None:
    files = given_files(folder)
    write_rows(folder / "test.csv", [("ann", "d", 6), ("ann", "b", 2)])
    with pytest.raises(UserError, match=r"test_file repeats 1 rows.*user ann, item b, line 3"):
        shop(split="given", data_path="", **files)


@settings(max_examples=60, deadline=None)
@given(TRIPLES, st.integers(0, 3))
def test_cold_items_occur_as_targets_of_their_part_only(
    rows: list[tuple[int, int, int]], seed: int
) -> None:
    data, _ = clean(raw(rows), DataConfig(dataset="drawn", data_path="x"))
    config = DataConfig(
        dataset="drawn",
        data_path="x",
        split="cold_items",
        seed=seed,
        cold_items=ColdItems(0.3, 0.3),
    )
    try:
        kinds = draw(data.catalog.n_items, config)
        cut = split(data, config)
    except UserError:
        return
    train, val, test = parts_of(cut.rows, len(cut.users))
    assert (kinds[train.items] == WARM).all()
    assert (kinds[val.history.items] == WARM).all()
    assert (kinds[val.targets] != COLD_IN_TEST).all()
    assert (kinds[test.targets] != COLD_IN_VAL).all()
    # The newest item of the test history is the validation target; all before it has trained.
    assert [h[-1] for h in map(test.history.row, range(len(test.users)))] == val.targets.tolist()
    # Written the slow way: each user's targets, found by walking back from the end.
    raw_ids = data.catalog.items["raw_id"].astype(int).to_dict()
    numbers = {raw_id: item for item, raw_id in raw_ids.items()}
    for name, history in zip(data.users, kept(rows), strict=True):
        items = [numbers[i] for i in history]
        at = [n for n, i in enumerate(items) if kinds[i] != COLD_IN_VAL]
        before = (
            [n for n, i in enumerate(items[: at[-1]]) if kinds[i] != COLD_IN_TEST] if at else []
        )
        user = np.flatnonzero(cut.users == name)
        if before and any(kinds[i] == WARM for i in items[: before[-1]]):
            case = int(np.flatnonzero(test.users == user[0])[0])
            assert (test.targets[case], val.targets[case]) == (items[at[-1]], items[before[-1]])
        else:
            assert not len(user) or user[0] not in test.users


def test_cold_items_are_drawn_by_the_seed(shop: Callable[..., PreparedData]) -> None:
    halves = ColdItems(0.25, 0.25)
    first = shop(split="cold_items", cold_items=halves, seed=1)
    other = shop(split="cold_items", cold_items=halves, seed=4)
    assert first.folder != other.folder
    assert first.catalog.digest == other.catalog.digest
    assert first.manifest["targets_by_count_in_training"]["test"]["0"] >= 0
    config = DataConfig(split="cold_items")
    kinds = draw(1_000, config)
    assert np.bincount(kinds[1:]).tolist() == [750, 125, 125]
    assert np.array_equal(kinds, draw(1_000, config))
    with pytest.raises(UserError, match="holds out 0 items for test"):
        draw(3, config)


@pytest.mark.parametrize("targets", ["first", "last", "all"])
@settings(max_examples=25, deadline=None)
@given(rows=TRIPLES)
def test_windows_give_first_last_or_all(targets: str, rows: list[tuple[int, int, int]]) -> None:
    data, _ = clean(raw(rows), DataConfig(dataset="drawn", data_path="x"))
    config = DataConfig(
        dataset="drawn",
        data_path="x",
        split="global_temporal",
        temporal=Temporal(0.25, 0.25, targets),  # type: ignore[arg-type]
    )
    try:
        cut = split(data, config)
    except UserError:
        return
    for code in (VAL, TEST):
        for user in range(len(cut.users)):
            mine = cut.rows[cut.rows["user"] == user].reset_index(drop=True)
            window = mine.index[mine["part"] == code]
            if targets == "first" and code == TEST:
                assert len(window) <= 1
            wanted = {"first": window[:1], "last": window[-1:], "all": window}[targets]
            wanted = [place for place in wanted if place > 0]  # something must come before
            assert mine.index[mine["target"] & (mine["part"] == code)].tolist() == wanted
    assert len(cut.rows) == len(data.rows) or targets == "first" or len(cut.users) < len(data.users)
