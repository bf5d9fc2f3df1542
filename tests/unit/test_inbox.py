"""Days in an inbox: taken in once, in order, whatever dies on the way."""

from __future__ import annotations

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
    gone = shop.folder / "grown-12"
    (gone / "files").unlink()
    gone.rmdir()
    assert shop.newest() == "123"
    assert gone.is_dir()


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
