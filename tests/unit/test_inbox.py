"""Days in an inbox: taken in once, in order, whatever dies on the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recdistill.errors import UserError
from recdistill.inbox import Inbox


class Killed(BaseException):
    """Stands for the machine going away."""


class Shop:
    """An inbox and folders that hold the names of the files they grew from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "days").mkdir()
        self.inbox = Inbox(str(folder / "days"), folder / "note.json")
        self.n_prepared, self.lives = 0, 1_000

    def come(self, *names: str) -> None:
        for name in names:
            (self.folder / "days" / name).write_text("rows")

    def go(self, *names: str) -> None:
        for name in names:
            (self.folder / "days" / name).unlink()

    def lose(self, grown: str) -> None:
        (self.folder / grown / "files").unlink()
        (self.folder / grown).rmdir()

    def prepare(self, file: str, extends: Path | None) -> Path:
        self.lives -= 1
        if self.lives < 0:
            raise Killed
        self.n_prepared += 1
        before = (extends / "files").read_text() if extends else ""
        made = self.folder / f"grown-{before}{Path(file).stem}"
        made.mkdir(exist_ok=True)
        (made / "files").write_text(f"{before}{Path(file).stem}")
        return made

    def newest(self) -> str:
        return (self.inbox.take_in(self.prepare)[-1] / "files").read_text()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_days_are_taken_in_once_and_in_order(shop: Shop) -> None:
    shop.come("1.csv", "2.csv")
    assert shop.newest() == "12"
    shop.come("3.csv")
    assert [shop.newest(), shop.newest()] == ["123", "123"]
    assert shop.n_prepared == 3


@pytest.mark.parametrize("lives", range(5))
def test_a_night_that_died_loses_no_day(shop: Shop, lives: int) -> None:
    shop.come("1.csv", "2.csv", "3.csv", "4.csv")
    shop.lives = lives
    try:
        shop.newest()
    except Killed:
        shop.lives = 1_000
    assert shop.newest() == "1234"


def test_a_lost_note_and_a_lost_folder_are_made_again(shop: Shop) -> None:
    shop.come("1.csv", "2.csv", "3.csv")
    shop.newest()
    shop.inbox.note.unlink()
    assert shop.newest() == "123"
    shop.lose("grown-12")
    assert shop.newest() == "123"
    assert (shop.folder / "grown-12").is_dir()


def test_a_name_that_sorts_before_what_is_taken_in_and_an_empty_inbox_are_refused(
    shop: Shop,
) -> None:
    with pytest.raises(UserError, match="holds no file"):
        shop.newest()
    shop.come("2.csv")
    shop.newest()
    shop.come("1.csv")
    with pytest.raises(UserError, match=r"1\.csv came after 2\.csv was taken in"):
        shop.newest()
    assert shop.n_prepared == 1


def test_days_that_were_put_away_stay_in_what_grows(shop: Shop) -> None:
    shop.come("1.csv", "2.csv")
    shop.newest()
    shop.go("1.csv", "2.csv")
    assert shop.newest() == "12"  # an empty inbox is a night without news
    shop.come("3.csv")
    assert shop.newest() == "123"
    assert [folder.name for folder in shop.inbox.take_in(shop.prepare)] == [
        "grown-1", "grown-12", "grown-123",
    ]  # fmt: skip
    shop.lose("grown-1")  # nothing grows from it any more
    shop.go("3.csv")
    shop.come("4.csv")
    assert shop.newest() == "1234"
    assert shop.n_prepared == 4


def test_a_day_put_away_whose_folder_is_gone_is_missed_and_not_left_out(shop: Shop) -> None:
    shop.come("1.csv", "2.csv")
    shop.newest()
    shop.go("2.csv")
    shop.lose("grown-12")
    missed = r"grown-12, which 2\.csv and the days before it became, is gone, and so is that file"
    with pytest.raises(UserError, match=missed):
        shop.newest()
    shop.come("3.csv")
    with pytest.raises(UserError, match=missed):
        shop.newest()
    assert shop.n_prepared == 2
    shop.come("2.csv")
    assert shop.newest() == "123"
    shop.go("1.csv", "2.csv", "3.csv")
    (shop.folder / "days").rmdir()  # not an empty inbox: none
    with pytest.raises(UserError, match="holds no file"):
        shop.newest()


def test_a_day_that_changed_after_it_was_taken_in_is_refused(shop: Shop) -> None:
    shop.come("1.csv", "2.csv")
    shop.newest()
    (shop.folder / "days" / "1.csv").write_text("rows and a late one")
    shop.come("3.csv")
    with pytest.raises(UserError, match=r"days/1\.csv was taken in and changed since: put it back"):
        shop.newest()
    shop.come("1.csv")
    assert shop.newest() == "123"


def test_a_note_of_before_contents_were_noted_is_read_and_completed(shop: Shop) -> None:
    shop.come("1.csv", "2.csv")
    shop.newest()
    noted = json.loads(shop.inbox.note.read_text())
    assert set(noted["2.csv"]) == {"folder", "sha256"}
    older = {name: one["folder"] for name, one in noted.items()}
    shop.inbox.note.write_text(json.dumps(older))
    assert shop.newest() == "12"
    assert json.loads(shop.inbox.note.read_text()) == noted
    shop.inbox.note.write_text(json.dumps(older))
    shop.go("1.csv", "2.csv")
    shop.come("3.csv")
    assert shop.newest() == "123"
    assert shop.n_prepared == 3
