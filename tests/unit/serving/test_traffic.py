"""Counts of requests: what is counted, that they add up, and that a log gives them back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill.errors import UserError
from recdistill.serving import (
    RequestLog,
    Traffic,
    read_log,
)
from recdistill.serving._names import ItemNames

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ItemNames(["a", "b", "c"], ["Ant", "Bee", "Cat"], ["Ant", "Bee", "Cat"])
ANSWER = {"items": ["c", "a"], "scores": [2.0, 1.0]}
START = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)


def test_a_request_is_counted_by_what_watch_needs() -> None:
    traffic = Traffic()
    traffic.add_request([["a", "Bee"], ["gone", "b", "nowhere"]], [ANSWER, ANSWER], NAMES)
    traffic.add_request([["gone"], None], None, NAMES)
    assert (traffic.n_requests, traffic.n_refused) == (2, 1)
    assert (traffic.n_histories, traffic.n_items, traffic.n_unknown) == (3, 6, 3)
    assert traffic.newest == {"b": 2}
    assert traffic.recommended == {"c": 2, "a": 2}
    assert (traffic.n_answers, traffic.score_sum, traffic.score_squares) == (2, 4.0, 8.0)


REQUESTS = st.lists(
    st.tuples(
        st.lists(st.lists(st.sampled_from(["a", "b", "Cat", "x"]), max_size=4), max_size=3),
        st.booleans(),
    ),
    max_size=12,
)


@settings(max_examples=50, deadline=None)
@given(REQUESTS, st.integers(0, 12))
def test_parts_add_up_to_the_whole_through_a_file(
    requests: list[tuple[list[list[str]], bool]], cut: int
) -> None:
    def counted(some: list[tuple[list[list[str]], bool]]) -> Traffic:
        traffic = Traffic()
        for histories, answered in some:
            traffic.add_request(histories, [ANSWER] * len(histories) if answered else None, NAMES)
        return Traffic.of_plain(json.loads(json.dumps(traffic.plain())), "a line")

    whole = counted(requests[:cut])
    whole.add(counted(requests[cut:]))
    assert whole == counted(requests)


class Clock:
    """A time of day that the test moves."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> None:
        self.now += timedelta(**span)


def test_a_log_gives_back_the_hours_and_the_version_that_are_asked_for(tmp_path: Path) -> None:
    clock = Clock()
    log = RequestLog(tmp_path, clock)
    log.flush()
    assert list(tmp_path.iterdir()) == []  # nobody asked
    for hour in range(30):
        clock.forward(hours=1)
        log.add(1 + hour // 20, [["a"]], [ANSWER], NAMES)
        log.flush()
    days = ["requests-2026-11-25.jsonl", "requests-2026-11-26.jsonl"]
    assert sorted(path.name for path in tmp_path.iterdir()) == days

    def n_requests(version: int, hours: float) -> int:
        return read_log(tmp_path, version=version, until=clock.now, hours=hours).traffic.n_requests

    assert [n_requests(2, hours) for hours in (1, 5, 24, 100)] == [1, 5, 10, 10]
    assert [n_requests(1, hours) for hours in (10, 12, 24, 100)] == [0, 2, 14, 20]


@pytest.mark.parametrize("east", [9, 0, -8])
def test_the_same_moment_in_any_zone_gives_the_same_hours(tmp_path: Path, east: int) -> None:
    clock = Clock()
    log = RequestLog(tmp_path, clock)
    for _ in range(72):
        clock.forward(hours=1)
        log.add(1, [["a"]], [ANSWER], NAMES)
        log.flush()
    until = datetime(2026, 11, 26, 21, 30, tzinfo=UTC).astimezone(timezone(timedelta(hours=east)))
    assert read_log(tmp_path, version=1, until=until, hours=24).traffic.n_requests == 24


def test_a_line_cut_off_by_a_kill_is_passed_over_and_counted(tmp_path: Path) -> None:
    clock = Clock()
    log = RequestLog(tmp_path, clock)
    clock.forward(hours=1)
    log.add(1, [["a"]], [ANSWER], NAMES)
    log.flush()
    path = next(tmp_path.iterdir())
    path.write_text(path.read_text() + path.read_text()[:40])
    found = read_log(tmp_path, version=1, until=clock.now, hours=24)
    assert (found.traffic.n_requests, found.n_lines, found.n_broken) == (1, 1, 1)


def test_a_folder_without_a_log_and_a_line_of_something_else_are_one_sentence(
    tmp_path: Path,
) -> None:
    with pytest.raises(UserError, match="holds no request log"):
        read_log(tmp_path, version=1, until=START, hours=1)
    line = {"to": START.isoformat(), "version": 1, "n_requests": "many"}
    (tmp_path / "requests-2026-11-24.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(UserError, match="line 1, is no line of a service's request log"):
        read_log(tmp_path, version=1, until=START, hours=1)


def test_no_history_can_be_read_back_from_a_line(tmp_path: Path) -> None:
    log = RequestLog(tmp_path, Clock())
    log.add(1, [["secret-id", "a", "b"]], [ANSWER], NAMES)
    log.flush()
    text = next(tmp_path.iterdir()).read_text()
    assert "secret-id" not in text
    assert json.loads(text)["newest"] == {"b": 1}
