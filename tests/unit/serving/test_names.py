from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recdistill.errors import UserError
from recdistill.serving._names import ItemNames

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def names(folder: Path) -> ItemNames:
    return ItemNames.read(folder / "catalog.csv")


def test_years_become_part_of_the_titles_shown(names: ItemNames) -> None:
    assert names.titles[:4].tolist() == ["", "Toy Story (1995)", "Sabrina (1954)", "Sabrina (1995)"]
    assert names.titles[9] == "Film 0"


def test_raw_ids_numbers_and_titles_all_find_their_item(names: ItemNames) -> None:
    asked = ["1", 6, "toy story", "Sabrina (1954)", "FARGO", "Film 51"]
    assert names.resolve(asked, "history") == [1, 6, 1, 2, 8, 60]


def test_a_raw_id_wins_over_a_title(names: ItemNames) -> None:
    assert names.resolve(["1", "1 (2001)"], "history") == [1, 7]


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("Sabrina", r"the title of 2 items, use a raw id: '2' \(Sabrina \(1954\)\), '3'"),
        ("Heat (1995)", "the title of 2 items"),
        ("x" * 5000, "x...x"),
        ("Tpy Story", "'Tpy Story' is neither a raw id nor a title"),
        (61, "61 is neither"),
        (None, "None is neither"),
        (True, "True is neither"),
        (1.5, "1.5 is neither"),
    ],
)
def test_what_cannot_be_found_is_named(names: ItemNames, name: object, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        names.resolve(["1", name], "history")


def test_many_unknown_names_are_counted(names: ItemNames) -> None:
    with pytest.raises(UserError, match=r"'x4' is neither .* and 7 more\.$"):
        names.resolve([f"x{i}" for i in range(12)], "history")
