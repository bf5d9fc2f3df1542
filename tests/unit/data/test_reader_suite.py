"""Every format that ships is held to the laws of a reader."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pandas as pd

from recdistill.data._readers import reader_for
from recdistill.testing import Interaction, ReaderSuite

if TYPE_CHECKING:
    from recdistill.data import Reader


class TestCSV(ReaderSuite):
    interactions_name, items_name = "interactions.csv", "items.csv"

    def reader(self) -> Reader:
        return reader_for(self.interactions_name)

    def write_interactions(self, rows: list[Interaction]) -> bytes:
        body = "".join(f'"{u}",{i},{r},{t}\n' for u, i, r, t in rows)
        return f"user,item,rating,timestamp\n{body}".encode()

    def write_items(self, titles: dict[str, str]) -> bytes:
        return ("item,title\n" + "".join(f'{i},"{t}"\n' for i, t in titles.items())).encode()


class TestMovieLens(ReaderSuite):
    interactions_name, items_name = "ratings.dat", "movies.dat"

    def reader(self) -> Reader:
        return reader_for(self.interactions_name)

    def write_interactions(self, rows: list[Interaction]) -> bytes:
        return "".join(f"{u}::{i}::{r}::{t}\n" for u, i, r, t in rows).encode()

    def write_items(self, titles: dict[str, str]) -> bytes:
        return "".join(f"{i}::{t}::Drama\n" for i, t in titles.items()).encode()


class TestRecBole(ReaderSuite):
    interactions_name, items_name = "shop.inter", "shop.item"

    def reader(self) -> Reader:
        return reader_for(self.interactions_name)

    def write_interactions(self, rows: list[Interaction]) -> bytes:
        head = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
        return (head + "".join(f"{u}\t{i}\t{r}\t{t}\n" for u, i, r, t in rows)).encode()

    def write_items(self, titles: dict[str, str]) -> bytes:
        head = "item_id:token\tmovie_title:token_seq\n"
        return (head + "".join(f"{i}\t{t}\n" for i, t in titles.items())).encode()


class TestParquet(ReaderSuite):
    interactions_name, items_name = "interactions.parquet", "items.parquet"

    def reader(self) -> Reader:
        return reader_for(self.interactions_name)

    def write_interactions(self, rows: list[Interaction]) -> bytes:
        return _parquet(pd.DataFrame(rows, columns=["user", "item", "rating", "timestamp"]))

    def write_items(self, titles: dict[str, str]) -> bytes:
        return _parquet(pd.DataFrame(titles.items(), columns=["item", "title"]))


def _parquet(frame: pd.DataFrame) -> bytes:
    stream = io.BytesIO()
    frame.to_parquet(stream)
    return stream.getvalue()
