"""Every format gives the same data."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from recdistill.data import Cleaning, Columns, DataConfig, PreparedData, Reading, prepare
from recdistill.errors import UserError

from .conftest import ITEMS, ROWS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RATINGS = [(user, item, 4, time) for user, item, time in ROWS]


def movielens(path: Path) -> Path:
    path.mkdir()
    (path / "ratings.dat").write_text("".join(f"{u}::{i}::{r}::{t}\n" for u, i, r, t in RATINGS))
    lines = "".join(f"{i}::{title} (1999)::Drama|War\n" for i, title in ITEMS)
    (path / "movies.dat").write_bytes(lines.replace("Diva", "Divà, La").encode("latin-1"))
    return path


def old_movielens(path: Path) -> Path:
    path.mkdir()
    (path / "u.data").write_text("".join(f"{u}\t{i}\t{r}\t{t}\n" for u, i, r, t in RATINGS))
    flags = "|".join("1" if n in (8, 17) else "0" for n in range(19))
    lines = "".join(f"{i}|{title} (1999)|01-Jan-1999||http://x|{flags}\n" for i, title in ITEMS)
    (path / "u.item").write_bytes(lines.replace("Diva", "Divà, La").encode("latin-1"))
    return path


def recbole(path: Path) -> Path:
    path.mkdir()
    head = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    body = "".join(f"{u}\t{i}\t{r}\t{t}\n" for u, i, r, t in RATINGS)
    (path / "shop.inter").write_text(head + body)
    head = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
    body = "".join(f"{i}\t{title}\t1999\tDrama War\n" for i, title in ITEMS)
    (path / "shop.item").write_text((head + body).replace("Diva", "La Divà"))
    return path


def parquet(path: Path) -> Path:
    path.mkdir()
    frame = pd.DataFrame(RATINGS, columns=["user", "item", "rating", "timestamp"])
    frame["timestamp"] = pd.to_datetime(frame["timestamp"], unit="s")
    frame.to_parquet(path / "interactions.parquet")
    items = pd.DataFrame(ITEMS, columns=["item", "title"]).replace("Diva", "La Divà")
    items.assign(year="1999", genres="Drama, War").to_parquet(path / "items.parquet")
    return path


def plain_csv(path: Path) -> Path:
    path.mkdir()
    body = "".join(f'"{u}",{i},{r},{t}\r\n' for u, i, r, t in RATINGS)
    (path / "interactions.csv").write_text("\ufeffuser,item,rating,timestamp\r\n" + body + "\r\n")
    body = "".join(f'{i},{title},1999,"Drama, War"\n' for i, title in ITEMS)
    (path / "items.csv").write_text(("item,title,year,genres\n" + body).replace("Diva", "La Divà"))
    return path


WRITERS = [movielens, old_movielens, recbole, parquet, plain_csv]


@pytest.mark.parametrize("writer", WRITERS)
def test_every_format_gives_the_same_catalog_and_split(
    writer: Callable[[Path], Path], tmp_path: Path
) -> None:
    def prepared(write: Callable[[Path], Path], name: str) -> PreparedData:
        source = write(tmp_path / name)
        return prepare(DataConfig(dataset=name, data_path=str(source)), tmp_path / "data")

    expected, got = prepared(parquet, "reference"), prepared(writer, "tried")
    assert got.catalog.items.to_dict() == expected.catalog.items.to_dict()
    assert got.split_digest == expected.split_digest
    assert got.catalog.items["text"][4] == "La Divà (1999), Drama, War"


def test_zip_of_the_groups_layout(tmp_path: Path) -> None:
    folder = movielens(tmp_path / "ml-1m")
    archive = tmp_path / "ml-1m.zip"
    with zipfile.ZipFile(archive, "w") as out:
        for path in folder.iterdir():
            out.write(path, f"ml-1m/{path.name}")
    data = prepare(DataConfig(dataset="zipped", data_path=str(archive)), tmp_path / "data")
    assert data.catalog.items["title"].tolist() == ["Alien", "Brazil", "Casino", "La Divà"]
    assert data.manifest["order"] == "timestamp; ties keep the order of ratings.dat"


def test_column_map_separator_encoding_and_dates(tmp_path: Path) -> None:
    file = tmp_path / "bons.csv"
    rows = [
        ("ann", "Café", "2024-03-02"),
        ("ann", "Thé", "2024-03-01"),
        ("ann", "Eau", "2024-03-03"),
    ]
    lines = ["client;article;jour", *(";".join(row) for row in rows)]
    file.write_bytes("\n".join(lines).encode("latin-1"))
    config = DataConfig(
        dataset="bons",
        data_path=str(file),
        columns=Columns(user="client", item="article", timestamp="jour"),
        reading=Reading(encoding="latin-1", separator=";", timestamp_format="%Y-%m-%d"),
    )
    data = prepare(config, tmp_path / "data")
    order = [*data.test.history.row(0), data.test.targets[0]]
    assert [data.catalog.items["raw_id"][i] for i in order] == ["Thé", "Café", "Eau"]


def test_malformed_rows_are_dropped_with_their_line_numbers(tmp_path: Path) -> None:
    folder = movielens(tmp_path / "ml")
    path = folder / "ratings.dat"
    lines = path.read_text().splitlines()
    lines[2:2] = ["only::three::fields", "", "ann::a::4::soon", "::a::4::3"]
    path.write_text("\n".join(lines))
    config = DataConfig(dataset="ml", data_path=str(folder))
    with pytest.raises(UserError) as refused:
        prepare(config, tmp_path / "data")
    for part in ("3 malformed rows", "line 3: 3 fields instead of 4",
                 "line 5: timestamp is not a number", "line 6: no user id"):  # fmt: skip
        assert part in str(refused.value)
    dropped = DataConfig(dataset="ml", data_path=str(folder), cleaning=Cleaning(malformed="drop"))
    data = prepare(dropped, tmp_path / "data")
    assert data.manifest["dropped"] == {"malformed": 3}
    assert data.manifest["counts"]["n_interactions"] == len(ROWS)


def test_items_listed_again_with_the_same_title_are_counted(folder: Path, tmp_path: Path) -> None:
    with (folder / "items.csv").open("a") as file:
        file.write("b,Brazil\n")
    data = prepare(DataConfig(dataset="shop", data_path=str(folder)), tmp_path / "data")
    assert data.manifest["dropped"] == {"duplicate_items": 1}
    assert any("lines 6" in f["sentence"] for f in data.manifest["findings"])
    assert data.catalog.n_items == 4


def test_items_may_lie_elsewhere_in_another_format(folder: Path, tmp_path: Path) -> None:
    frame = pd.DataFrame({"item": ["a", "b", "c", "d"], "title": list("WXYZ")})
    frame.to_parquet(tmp_path / "names.parquet")
    reading = Reading(items_file=str(tmp_path / "names.parquet"))
    config = DataConfig(dataset="shop", data_path=str(folder), reading=reading)
    assert prepare(config, tmp_path / "data").catalog.items["title"].tolist() == list("WXYZ")
