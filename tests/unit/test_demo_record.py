"""What is said of the demo follows from what it wrote down."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import demo
from benchmarks.pages import ROOT

STEPS = st.lists(st.tuples(st.sampled_from(demo.ORDER), st.floats(0.1, 100)), min_size=1)


def record(steps: list[tuple[str, float]], own: float = 4.0) -> dict[str, Any]:
    taken = [{"kind": kind, "cpu_seconds": seconds} for kind, seconds in steps]
    return {"steps": taken, "cpu_seconds": own + sum(seconds for _, seconds in steps)}


def test_quiet_cores_wait_for_what_a_step_reads() -> None:
    steps = [("data", 3.0), ("floors", 10.0), ("baseline", 20.0), ("transfer", 5.0)]
    assert demo.quiet_seconds(record([*steps, ("comparison", 7.0)])) == 3 + 20 + 7 + 4
    assert demo.quiet_seconds(record(steps), n_cores=1) == 3 + 10 + 20 + 5 + 4


@given(steps=STEPS)
def test_two_cores_take_half_to_all_of_the_work(steps: list[tuple[str, float]]) -> None:
    whole = sum(seconds for _, seconds in steps)
    found = demo.quiet_seconds(record(steps, own=0.0))
    assert whole / 2 - 1e-6 <= found <= whole + 1e-6


def test_a_word_of_victory_needs_a_test() -> None:
    one = {"against": "its baseline", "delta": 0.01, "low": -0.001, "high": 0.02, "p": 0.06}
    assert "beats" not in demo.difference(one)
    assert "no significant difference" in demo.difference(one)
    assert demo.difference(one | {"low": 0.005, "p": 0.001}).startswith("**the student beats")
    assert "is worse than" in demo.difference(one | {"delta": -0.01, "high": -0.001, "p": 0.01})


def test_what_is_said_counts_how_many_tests_there_were() -> None:
    found = demo.corrected({"differences": [{"p": p} for p in (0.02, 0.03, 0.9)]})
    assert [one["p"] for one in found] == pytest.approx([0.06, 0.06, 0.9])


def test_the_japanese_readme_allows_the_same_words_of_victory() -> None:
    one = {"against": "the control no_lists", "delta": 0.01, "low": 0.0, "high": 0.02, "p": 0.06}
    assert demo.beside(one).startswith("対照 no_lists に対して +0.0100")
    assert demo.beside(one).endswith("有意な差はありません")
    assert demo.beside(one | {"p": 0.01}).endswith("上回ります")
    assert demo.beside(one | {"p": 0.01, "delta": -0.01}).endswith("下回ります")
    assert demo.beside(one | {"against": "its baseline"}).startswith("ベースライン ")
    assert demo.beside(one | {"against": "the best floor, counter"}).startswith("最良の")


def test_the_recording_that_the_quick_start_shows_has_at_most_sixty_lines() -> None:
    picture = (ROOT / "docs/assets/terminal.png").read_bytes()
    height = int.from_bytes(picture[20:24], "big")  # PNG's header: width, then height
    n_lines = (height - 30) // 18  # as tests/e2e/pictures.py sets them
    assert 20 <= n_lines <= 60
