"""Cleaning by stated rules, with counts; sampling whole users."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recdistill.data import Cleaning
from recdistill.data._raw_ids import number_ids
from recdistill.errors import UserError

from .conftest import ROWS, write_rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from recdistill.data import PreparedData


def test_ids_are_in_natural_order_whatever_the_rows() -> None:
    import pandas as pd

    for order in (["10", "9", "b", "a", "2"], ["a", "2", "b", "10", "9"]):
        codes, ids = number_ids(pd.Series(order))
        assert ids.tolist() == ["2", "9", "10", "a", "b"]
        assert [ids[c] for c in codes] == order


def test_rows_are_in_time_order_and_ties_keep_the_file(
    folder: Path, shop: Callable[..., PreparedData]
) -> None:
    write_rows(
        folder / "interactions.csv",
        [("u", x, t) for x, t in zip("dbca", (2, 1, 1, 3), strict=True)],
    )
    data = shop()
    title = data.catalog.items["title"]
    whole = [*data.test.history.row(0), data.test.targets[0]]
    assert [title[i] for i in whole] == ["Brazil", "Casino", "Diva", "Alien"]
    assert "ties keep the order of interactions.csv" in data.manifest["order"]
    assert data.manifest["share_of_rows_with_tied_timestamp"] == 0.5


def test_one_item_users_are_dropped_and_counted(
    folder: Path, shop: Callable[..., PreparedData]
) -> None:
    write_rows(folder / "interactions.csv", [*ROWS, ("zoe", "a", 99)])
    data = shop()
    assert "zoe" not in data.users
    assert data.manifest["dropped"] == {"one_item_users": 1}
    assert any("zoe" in f["sentence"] for f in data.manifest["findings"])


def test_rare_items_and_users_go_in_turns(folder: Path, shop: Callable[..., PreparedData]) -> None:
    # Item d has two rows; without it bob has two, so bob goes, and then c has too few.
    rows = [("ann", x, t) for t, x in enumerate("abcaba")]
    rows += [("bob", x, t) for t, x in enumerate("cdc")]
    rows += [("cleo", x, t) for t, x in enumerate("abbd")]
    write_rows(folder / "interactions.csv", rows)
    data = shop(min_interactions=3)
    assert data.catalog.items["raw_id"].tolist() == ["a", "b"]
    assert data.users.tolist() == ["ann", "cleo"]
    assert data.manifest["dropped"] == {"rare_items": 2, "rare_users": 1, "rare_interactions": 5}


def test_sampling_takes_whole_users_and_leaves_the_catalog_alone(
    folder: Path, shop: Callable[..., PreparedData]
) -> None:
    rows = [(f"u{n}", "abcd"[(n + t) % 4], t) for n in range(40) for t in range(4)]
    write_rows(folder / "interactions.csv", rows)
    whole = shop()
    samples = [shop(max_users=10, seed=seed) for seed in (0, 1)]
    for sample in samples:
        assert len(sample.users) == 10
        assert sample.catalog.digest == whole.catalog.digest
        assert sample.manifest["counts"]["n_interactions"] == 40
    head = [f"u{n}" for n in range(10)]
    assert set(samples[0].users) != set(samples[1].users)
    assert all(set(s.users) != set(head) for s in samples)
    again = shop(max_users=10, seed=0)
    assert again.split_digest == samples[0].split_digest


@pytest.mark.parametrize("treatment", ["keep", "drop", "refuse"])
def test_unknown_items_by_the_stated_rule(
    folder: Path, shop: Callable[..., PreparedData], treatment: str
) -> None:
    write_rows(folder / "interactions.csv", [*ROWS, ("bob", "zz", 50)])
    cleaning = Cleaning(unknown_items=treatment)  # type: ignore[arg-type]
    if treatment == "refuse":
        with pytest.raises(UserError, match=r"1 items that the item file lacks \(zz\)"):
            shop(cleaning=cleaning)
        return
    data = shop(cleaning=cleaning)
    titles = data.catalog.items.set_index("raw_id")["title"].to_dict()
    assert titles.get("zz") == ("Item zz" if treatment == "keep" else None)
    assert data.manifest["dropped"] == ({} if treatment == "keep" else {"unknown_items": 1})


def test_repeats_are_kept_or_only_the_first(
    folder: Path, shop: Callable[..., PreparedData]
) -> None:
    write_rows(folder / "interactions.csv", [*ROWS, ("ann", "a", 60)])
    assert shop().manifest["counts"]["n_interactions"] == len(ROWS) + 1
    first = shop(cleaning=Cleaning(repeats="first"))
    assert first.manifest["counts"]["n_interactions"] == len(ROWS)
    assert first.manifest["dropped"] == {"repeats": 1}


def test_low_ratings_are_no_interactions_where_that_is_asked_for(
    folder: Path, shop: Callable[..., PreparedData]
) -> None:
    lines = ["user,item,timestamp,rating"]
    lines += [f"{u},{i},{t},{5 - 4 * (t == 2)}" for u in "xy" for t, i in enumerate("abcde")]
    (folder / "interactions.csv").write_text("\n".join(lines) + "\n")
    assert shop().manifest["counts"]["n_interactions"] == 10
    liked = shop(cleaning=Cleaning(min_rating=2.0))
    assert liked.manifest["dropped"]["low_ratings"] == 2
    assert liked.manifest["counts"]["n_interactions"] == 8


def test_a_lowest_rating_without_ratings_is_refused(
    folder: Path, shop: Callable[..., PreparedData]
) -> None:
    write_rows(folder / "interactions.csv", ROWS)
    with pytest.raises(UserError, match=r"has no ratings, so cleaning\.min_rating=4"):
        shop(cleaning=Cleaning(min_rating=4.0))


def test_items_without_a_title_are_told_and_named_by_their_id(
    folder: Path, shop: Callable[..., PreparedData]
) -> None:
    (folder / "items.csv").write_text("item,title\na,Alien\nb,\nc,Casino\nd,Alien\n")
    data = shop()
    assert data.catalog.items["title"].tolist() == ["Alien", "Item b", "Casino", "Alien"]
    named = {f["name"]: f["count"] for f in data.manifest["findings"] if f["action"] == "kept"}
    assert named["untitled_items"] == 1
    assert named["title_twins"] == 1
