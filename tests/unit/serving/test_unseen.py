"""A champion is never tested on what it was trained on, where that can be known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from recdistill.data import DataConfig, PreparedData, prepare
from recdistill.errors import UserError
from recdistill.serving._unseen import require_unseen

if TYPE_CHECKING:
    from pathlib import Path

USERS, DAYS = 12, 20


def log(path: Path, first: int, last: int) -> str:
    """Every user takes an item a day."""
    rows = [f"u{u},i{(3 * u + day) % 9},{day}" for day in range(first, last) for u in range(USERS)]
    path.write_text("\n".join(["user,item,timestamp", *rows]) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture
def prepared(tmp_path: Path) -> Any:
    def of(first: int = 0, last: int = DAYS, root: str = "data", **settings: Any) -> PreparedData:
        path = log(tmp_path / f"{first}-{last}.csv", first, last)
        return prepare(DataConfig("shop", data_path=path, **settings), tmp_path / root)

    return of


def champion(data: PreparedData) -> Any:
    tags = {"split.digest": data.split_digest, "split": str(data.manifest["split"])}
    return SimpleNamespace(number=3, tags=tags)


def test_on_its_own_data_and_on_days_since_a_champion_has_met_no_target(prepared: Any) -> None:
    before = prepared()
    grown = prepared(DAYS, DAYS + 4, extends=before.folder.name)
    assert require_unseen(champion(before), before) == ""
    assert require_unseen(champion(before), grown) == ""


def test_on_days_before_it_is_refused_and_the_folder_to_go_to_is_named(prepared: Any) -> None:
    before = prepared()
    grown = prepared(DAYS, DAYS + 4, extends=before.folder.name)
    with pytest.raises(UserError, match=f"trained on later days.*prepared={grown.folder.name}"):
        require_unseen(champion(grown), before)


def test_by_another_split_it_is_refused(prepared: Any) -> None:
    one, other = prepared(), prepared(split="global_temporal")
    with pytest.raises(UserError, match="split=leave_one_out and would be tested with"):
        require_unseen(champion(one), other)


def test_where_nobody_can_know_it_is_said(prepared: Any) -> None:
    one, other = prepared(), prepared(0, DAYS + 4, root="anew")
    assert "is not known" in require_unseen(champion(one), other)


def test_a_version_that_names_no_split_is_taken_as_it_is(prepared: Any) -> None:
    assert require_unseen(SimpleNamespace(number=1, tags={}), prepared()) == ""  # type: ignore[arg-type]
