"""Ids by one stated rule, whatever column they come from."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from recdistill.data import Cleaning, DataConfig, PreparedData, prepare
from recdistill.data._readers._ids import ids
from recdistill.errors import UserError

from .conftest import ROWS

if TYPE_CHECKING:
    from pathlib import Path


def read(values: list[Any], dtype: str | None = None) -> list[str]:
    return list(ids(pd.Series(values, dtype=dtype), "x.csv", "user id").column.astype("str"))  # type: ignore[call-overload]


def shop(folder: Path, columns: dict[str, Any], **settings: Any) -> PreparedData:
    """Prepare a Parquet file of these columns, timestamps 0, 1, ... added where there are none."""
    folder.mkdir(exist_ok=True)
    table = pa.table({"timestamp": pa.array(range(len(columns["user"])))} | columns)
    parquet.write_table(table, folder / "interactions.parquet")
    config = DataConfig(dataset="shop", data_path=str(folder), **settings)
    return prepare(config, folder / "data", rebuild=True)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20))
def test_whole_numbers_read_the_same_from_every_type(numbers: list[int]) -> None:
    expected = [str(n) for n in numbers]
    assert read(numbers, "int64") == read(numbers, "Int64") == expected
    assert read([f" {n}.0 " for n in numbers], "str") == expected
    assert read([Decimal(n) for n in numbers]) == expected


def test_numbers_in_text_keep_what_is_not_a_zero_decimal() -> None:
    text = ["1", "1.0", "1.00", "01", "1.50", "1e3", "-2.0", "v1.0"]
    assert read(text, "str") == ["1", "1", "1", "01", "1.50", "1e3", "-2", "v1.0"]


@pytest.mark.parametrize(("dtype", "limit"), [("float64", 2.0**53), ("float32", 2.0**24)])
def test_floats_are_refused_where_neighbours_are_one(dtype: str, limit: float) -> None:
    below = [1.0, limit - 1]
    assert read(below, dtype) == ["1", f"{int(limit) - 1}"]
    with pytest.raises(UserError, match="neighbouring ids are one number"):
        read([1.0, limit], dtype)


def test_users_above_2_to_the_53_stay_apart_in_parquet(tmp_path: Path) -> None:
    first = 2**53
    users = [first] * 3 + [first + 1] * 3 + [None]
    data = shop(
        tmp_path / "big",
        {"user": pa.array(users, pa.int64()), "item": list("abcabca")},
        cleaning=Cleaning(malformed="drop"),
    )
    assert data.users.tolist() == [str(first), str(first + 1)]
    assert data.manifest["dropped"] == {"malformed": 1}
    floats = pa.array([1e20 * k for k in range(1, 7)])
    with pytest.raises(UserError, match="floating-point numbers of 2\\^53 and more"):
        shop(tmp_path / "floats", {"user": floats, "item": list("abcabc")})


def test_decimals_join_titles_and_are_counted(folder: Path, tmp_path: Path) -> None:
    rows = "".join(f"{u},{'abcd'.index(i)}.0,{t}\n" for u, i, t in ROWS)
    (folder / "interactions.csv").write_text("user,item,timestamp\n" + rows)
    (folder / "items.csv").write_text("item,title\n0,Alien\n1,Brazil\n2,Casino\n3,Diva\n")
    data = prepare(DataConfig(dataset="shop", data_path=str(folder)), tmp_path / "data")
    assert data.catalog.items["title"].tolist() == ["Alien", "Brazil", "Casino", "Diva"]
    found = {f["name"]: f for f in data.manifest["findings"]}
    assert found["ids_with_decimals"]["count"] == 4
    assert found["ids_with_decimals"]["action"] == "repaired"


@pytest.mark.parametrize(
    ("user", "said"),
    [
        (pa.array([["a"]] * 6), "'user' of interactions.parquet holds list<"),
        (pa.array([{"a": 1}] * 6), "'user' of interactions.parquet holds struct<"),
        (pa.array([b"\xff\xfe"] * 6), "holds bytes that are not UTF-8 text"),
        (pa.array(["a\0", "a"] * 3), "3 malformed rows (line 1: user id holds a control character"),
        (pa.array(["a\x1eb", "a"] * 3), "line 1: user id holds a control character"),
        (pa.array([1.5, 2] * 3), "line 1: user id is not a whole number"),
        (pa.array([float("inf"), 2] * 3), "line 1: user id is not a whole number"),
        (pa.array([float("nan"), 2] * 3), "line 1: no user id"),
        (pa.array([None, "a"] * 3), "line 1: no user id"),
    ],
)
def test_what_is_no_id_is_refused(user: pa.Array, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        shop(tmp_path / "shop", {"user": user, "item": list("abcabc")})
    assert said in str(refused.value)


def test_bytes_that_are_text_are_that_text(tmp_path: Path) -> None:
    users = pa.array([b"ann"] * 3 + ["é".encode()] * 3)
    data = shop(tmp_path / "shop", {"user": users, "item": list("abcabc")})
    assert data.users.tolist() == ["ann", "é"]


def test_a_long_id_costs_its_own_length(tmp_path: Path) -> None:
    users = [f"u{n:05d}" for n in range(2_000) for _ in range(3)]
    users[:3] = ["x" * 100_000] * 3
    data = shop(tmp_path / "shop", {"user": users, "item": list("abc") * 2_000})
    assert max(len(u) for u in data.users) == 100_000
    stored = sum(p.stat().st_size for p in data.folder.iterdir())
    assert stored < 2_000_000
    sentences = " ".join(f["sentence"] for f in data.manifest["findings"])
    assert len(sentences) < 2_000


def test_ids_keep_the_order_of_numbers_then_words() -> None:
    from recdistill.data._raw_ids import number_ids

    words = ["b", "10", "2", "a", "é", "Z", "007", "9" * 18, "9" * 19]
    codes, found = number_ids(pd.Series(words))
    assert list(found) == ["2", "007", "10", "9" * 18, "9" * 19, "Z", "a", "b", "é"]
    assert [found[c] for c in codes] == words
    assert np.array_equal(number_ids(pd.Series([5, 3, 5]))[0], [1, 0, 1])
