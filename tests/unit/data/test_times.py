"""Times come back from the folder as they stood in the file, and only to who asks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recdistill.data import DataConfig, as_read_by, load_prepared, prepare, with_times
from recdistill.data._days import seconds_of
from recdistill.errors import UserError
from recdistill.students import StudentConfig
from tests.unit.data.conftest import write_rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from recdistill.data import PreparedData


def _as_in_the_file(data: PreparedData, rows: list[tuple[str, str, int]]) -> None:
    """Compare every time that the data gives with the row of the file."""
    when = {(user, item): second for user, item, second in rows}
    raw = data.catalog.items["raw_id"]

    def expected(user: int, items: np.ndarray) -> list[int]:
        return [when[data.users[user], raw[int(item)]] for item in items]

    for user in range(len(data.users)):
        one = data.train.take(np.array([user]))
        assert one.times is not None
        assert one.times.tolist() == expected(user, one.items)
    for cases in (data.val, data.test):
        assert cases.target_times is not None
        for i, user in enumerate(cases.users.tolist()):
            one = cases.history.take(np.array([i]))
            assert one.times is not None
            assert one.times.tolist() == expected(user, one.items)
            assert [int(cases.target_times[i])] == expected(user, cases.targets[i : i + 1])


@given(data=st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize(
    "split",
    [
        {"split": "leave_one_out"},
        {"split": "global_temporal", "temporal": {"targets": "all"}},
        {"split": "global_temporal", "temporal": {"targets": "first"}},
    ],
)
def test_every_time_is_the_one_of_its_row(
    tmp_path_factory: pytest.TempPathFactory, split: dict[str, object], data: st.DataObject
) -> None:
    users = ["", "ann", 'b,"o"', "cleo"]
    rows = [
        (user, f"i{item}", second)
        for user in users[1:]
        for item, second in enumerate(
            data.draw(st.lists(st.integers(0, 10**9), min_size=4, max_size=9))
        )
    ]
    folder = tmp_path_factory.mktemp("shop")
    quoted = [('"b,""o"""' if user == users[2] else user, *rest) for user, *rest in rows]
    path = write_rows(folder / "rows.csv", quoted)  # type: ignore[arg-type]
    config = {"dataset": "shop", "data_path": str(path), **split}
    try:
        from recdistill.config import from_plain

        found = prepare(from_plain(DataConfig, config), folder / "data")
    except UserError:  # these times leave a window without a case
        return
    _as_in_the_file(with_times(found), rows)


def test_the_folder_and_its_digests_are_those_without(shop: Callable[..., PreparedData]) -> None:
    data = shop()
    files = sorted(p.relative_to(data.folder) for p in data.folder.rglob("*"))
    timed = with_times(data)
    assert data.train.times is None
    assert data.val.target_times is None
    assert timed.split_digest == data.split_digest
    assert timed.catalog.digest == data.catalog.digest
    assert sorted(p.relative_to(data.folder) for p in data.folder.rglob("*")) == files
    assert with_times(timed) is timed
    assert load_prepared(data.folder).train.times is None


def test_only_a_reader_of_times_gets_them(shop: Callable[..., PreparedData]) -> None:
    data = shop()
    assert as_read_by(object(), data) is data
    assert as_read_by(StudentConfig("hstu"), data) is data
    for query_time in ("last", "known"):
        read = as_read_by(StudentConfig("hstu", query_time=query_time), data)  # type: ignore[arg-type]
        assert read.train.times is not None


def test_data_without_timestamps_is_refused_in_a_sentence(
    tmp_path: Path, shop: Callable[..., PreparedData]
) -> None:
    path = tmp_path / "bare.csv"
    lines = [f"{user},{item}" for user in "abc" for item in "wxyz"]
    path.write_text("\n".join(["user,item", *lines]) + "\n")
    bare = prepare(DataConfig(dataset="bare", data_path=str(path)), tmp_path / "data")
    with pytest.raises(UserError, match=r"no timestamps.*student.query_time=none"):
        with_times(bare)


def test_another_split_than_the_folders_gets_no_times(shop: Callable[..., PreparedData]) -> None:
    data = shop()
    with pytest.raises(ValueError, match="another one"):
        with_times(replace(data, train=data.train.tail(1)))


@pytest.mark.parametrize(("clock", "n_ticks"), [("s", 1), ("ms", 10**3), ("us", 10**6)])
@given(seconds=st.lists(st.integers(0, 4 * 10**9), min_size=1, max_size=5))
def test_seconds_are_seconds_whatever_the_clock_counts(
    clock: str, n_ticks: int, seconds: list[int]
) -> None:
    ticks = np.array(seconds) * n_ticks + n_ticks // 2
    assert seconds_of(ticks, clock).tolist() == seconds  # type: ignore[arg-type]
