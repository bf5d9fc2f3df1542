"""Item texts: plain, in every format, part of the catalog and of its digest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.data import Columns, DataConfig, load_prepared, prepare
from recdistill.data._text import joined, plain_text
from recdistill.errors import UserError

from .test_readers import movielens, parquet, plain_csv, recbole
from .test_sources import needs_root

if TYPE_CHECKING:
    from pathlib import Path

BRANDS = ["<b>Fox</b> &amp; Co", "", "Uni\tversal", "Ga&uuml;mont"]
PLAIN = ["Fox & Co. one, two", "one, two", "Uni versal. one, two", "Gaümont. one, two"]


@given(st.text())
def test_plain_text_is_one_line_short_and_final(text: str) -> None:
    plain = plain_text(text, 40)
    assert len(plain) <= 40
    assert plain == " ".join(plain.split())
    assert not any(ord(c) < 32 for c in plain)


def test_hostile_markup_does_not_take_time() -> None:
    assert plain_text("<script>" * 50_000 + "end").count("<") == 0
    assert plain_text("a" * 10**7) == "a" * 2_000
    assert plain_text("x<script>alert('no')</script>y<style a=b>z</style>") == "x y"


def test_values_of_any_shape_become_text() -> None:
    assert joined([["Beauty", "Hair"], ["Care"], None]) == "Beauty, Hair, Care"
    assert joined({"a": "x", "b": 1}) == "x, 1"
    assert joined(float("nan")) == joined(None) == joined(pd.NA) == ""


def written(kind: str, path: Path) -> None:
    """Give a folder's items a brand and a list of tags."""
    if kind == "parquet":
        frame = pd.read_parquet(path / "items.parquet")
        frame.assign(brand=BRANDS, tags=[["one", "two"]] * 4).to_parquet(path / "items.parquet")
    elif kind == "csv":
        frame = pd.read_csv(path / "items.csv").assign(brand=BRANDS, tags="one, two")
        frame["brand"] = frame["brand"].str.replace("\t", " ")
        frame.to_csv(path / "items.csv", index=False)
    else:
        lines = (path / "shop.item").read_text().splitlines()
        more = [
            "brand:token\ttags:token_seq",
            *(f"{b.replace(chr(9), ' ')}\tone, two" for b in BRANDS),
        ]
        joint = [f"{line}\t{m}" for line, m in zip(lines, more, strict=True)]
        (path / "shop.item").write_text("\n".join(joint) + "\n")


@pytest.mark.parametrize(
    ("kind", "writer"), [("parquet", parquet), ("csv", plain_csv), ("recbole", recbole)]
)
def test_text_columns_of_every_format(kind: str, writer: object, tmp_path: Path) -> None:
    source = writer(tmp_path / "shop")  # type: ignore[operator]
    plain = prepare(DataConfig(dataset="shop", data_path=str(source)), tmp_path / "plain")
    written(kind, source)
    columns = Columns(text=("brand", "tags"))
    config = DataConfig(dataset="shop", data_path=str(source), columns=columns)
    data = prepare(config, tmp_path / "data")
    assert data.catalog.items["description"].tolist() == PLAIN
    assert data.catalog.full_texts[0] == "Alien (1999), Drama, War. Fox & Co. one, two"
    assert data.catalog.digest != plain.catalog.digest
    assert data.split_digest == plain.split_digest
    assert data.inputs() != plain.inputs(), "a stage computes again on other words"
    again = load_prepared(data.folder)
    assert again.catalog.digest == data.catalog.digest
    other = DataConfig(dataset="shop", data_path=str(source))
    assert prepare(other, tmp_path / "data").catalog.digest == plain.catalog.digest


def test_columns_that_are_not_there_are_named(folder: Path, tmp_path: Path) -> None:
    columns = Columns(text=("brand",))
    config = DataConfig(dataset="shop", data_path=str(folder), columns=columns)
    with pytest.raises(UserError, match="no column 'brand'"):
        prepare(config, tmp_path / "data")
    (folder / "items.csv").unlink()
    with pytest.raises(UserError, match=r"columns\.text asks for brand .* no item file"):
        prepare(config, tmp_path / "data")
    old = movielens(tmp_path / "ml")
    config = DataConfig(dataset="ml", data_path=str(old), columns=columns)
    with pytest.raises(UserError, match=r"movies\.dat has no column 'brand'"):
        prepare(config, tmp_path / "data")
    for wrong in (("brand", "brand"), ("title",), ("",)):
        with pytest.raises(UserError, match=r"columns\.text names"):
            Columns(text=wrong)


def test_amazon_beauty_by_name(tmp_path: Path) -> None:
    needs_root("amazon-beauty")
    data = prepare(DataConfig(dataset="amazon-beauty"), tmp_path)
    assert (len(data.users), data.catalog.n_items) == (22_363, 12_101)
    assert data.manifest["counts"]["n_interactions"] == 198_502
    titles = data.catalog.items["title"]
    assert not titles.str.contains("&#|<br").any()
    assert int((titles == "Item " + data.catalog.items["raw_id"]).sum()) == 7
