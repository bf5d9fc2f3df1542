"""Titles as a person would write them."""

from __future__ import annotations

import pandas as pd
import pytest

from recdistill.data._titles import readable_items, readable_title, text_of


@pytest.mark.parametrize(
    ("listed", "readable"),
    [
        ("Usual Suspects, The", "The Usual Suspects"),
        ("Postino, Il", "Il Postino"),
        ("Bug's Life, A", "A Bug's Life"),
        ("Star Maker, The (Uomo delle stelle, L')", "The Star Maker (L'Uomo delle stelle)"),
        ("Die xue shuang xiong (Killer, The)", "Die xue shuang xiong (The Killer)"),
        ("Visitors, The (Visiteurs, Les)", "The Visitors (Les Visiteurs)"),
        ("Girl, Interrupted", "Girl, Interrupted"),
        ("Paris, Texas", "Paris, Texas"),
        ("Maybe, Maybe Not (Bewegte Mann, Der)", "Maybe, Maybe Not (Der Bewegte Mann)"),
        ("Seven (Se7en)", "Seven (Se7en)"),
        ("unknown", "unknown"),
    ],
)
def test_readable_title(listed: str, readable: str) -> None:
    assert readable_title(listed) == readable
    assert readable_title(readable) == readable


def test_year_in_the_title_fills_a_missing_or_impossible_year() -> None:
    items = pd.DataFrame(
        {"title": ["Toy Story (1995)", "Land Before Time III (1995)", "unkonwn", "Heat"],
         "year": ["", "V", "unkonwn", "1995"],
         "genres": ["Comedy", "Animation", "unknown", ""]}
    )  # fmt: skip
    tidy = readable_items(items)
    assert tidy["title"].tolist() == ["Toy Story", "Land Before Time III", "unknown", "Heat"]
    assert tidy["year"].tolist() == ["1995", "1995", "", "1995"]
    assert text_of(tidy).tolist() == [
        "Toy Story (1995), Comedy",
        "Land Before Time III (1995), Animation",
        "unknown",
        "Heat (1995)",
    ]
