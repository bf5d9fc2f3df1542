"""Delimited text keeps every row or says where it went."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from recdistill.data._readers._table import decode, parse

FIELD = st.text("ab:,\t'é", max_size=4).map(lambda s: s.replace("::", "-").strip(":"))
LINES = st.lists(
    st.one_of(st.lists(FIELD, min_size=1, max_size=4).map("::".join), st.just("")), max_size=8
)


@given(LINES)
def test_every_line_is_a_row_or_malformed_or_blank(lines: list[str]) -> None:
    table = parse("a::b\n" + "\n".join(lines), "x", separator="::", columns=None, quoted=False)
    fields = {n: line.split("::") for n, line in enumerate(lines, start=2)}
    rows = {n: f for n, f in fields.items() if len(f) == 2 and any(f)}
    assert table.lines.tolist() == list(rows)
    assert table.frame.to_numpy().tolist() == list(rows.values())
    wrong = [n for n, f in fields.items() if len(f) != 2 and "".join(f).strip()]
    assert [n for n, _ in table.malformed] == wrong


def test_quotes_wrap_separators_and_quotes() -> None:
    text = 'item,title\r\na,"Brazil, ""the"" film"\r\nb,Café\r\n'
    table = parse(text, "x.csv", separator=",", columns=None, quoted=True)
    assert table.frame.to_numpy().tolist() == [["a", 'Brazil, "the" film'], ["b", "Café"]]


def test_line_numbers_are_right_after_a_quote_that_runs_over() -> None:
    text = 'a,b\n1,"x\ny"\n2\n3,4\n5,"6\n\n7"\n8\n9,9\n'
    table = parse(text, "x.csv", separator=",", columns=None, quoted=True)
    assert table.lines.tolist() == [5, 10]
    assert sorted(line for line, _ in table.malformed) == [2, 4, 6, 9]


def test_byte_order_mark_is_no_part_of_the_first_name() -> None:
    text = decode("\ufeffuser,item\nann,a\n".encode(), "x.csv", "auto")
    table = parse(text, "x.csv", separator=",", columns=None, quoted=True)
    assert list(table.frame.columns) == ["user", "item"]
