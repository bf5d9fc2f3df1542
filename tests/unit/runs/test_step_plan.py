"""A plan says what is done and how long it takes here, where that was measured."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from recdistill.runs import (
    Plan,
    PlannedStep,
    step_costs,
)
from recdistill.runs import _step_costs as costs
from recdistill.runs._step_costs import StepCosts

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

STEPS = [PlannedStep("data", "prepare it"), PlannedStep("baseline", "train it", 3)]


def test_times_are_said_for_this_machine() -> None:
    said = Plan(STEPS, 2, StepCosts({"data": 6.0, "baseline": 30.0}, 2, 0.0)).text("main")
    assert said.splitlines()[0] == "main: 4 steps, 2 at a time; about 48 s on these 2 cores."
    assert said.splitlines()[1].endswith(" 6 s")
    assert said.splitlines()[2].endswith(" 3 x 30 s")


def test_what_was_not_measured_is_not_said() -> None:
    said = Plan(STEPS, 1).text("main")
    assert "was not measured" in said
    assert " s" not in said.splitlines()[1].removeprefix("  1. prepare it")


@given(load=st.floats(0, 20), at_once=st.integers(1, 8), n_cores=st.integers(1, 16))
def test_other_work_never_makes_it_quicker(load: float, at_once: int, n_cores: int) -> None:
    quiet, busy = StepCosts({}, n_cores, 0.0), StepCosts({}, n_cores, load)
    assert 1 <= quiet.wall(at_once) <= busy.wall(at_once)


def test_a_machine_half_as_fast_takes_twice_the_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "demo.json"
    steps = [{"kind": "baseline", "cpu_seconds": s} for s in (10.0, 14.0)]
    file.write_text(json.dumps({"probe_seconds": 0.2, "steps": steps}))
    monkeypatch.setattr(costs, "probe_seconds", lambda: 0.4)
    assert step_costs(file).seconds == {"baseline": 24.0}  # type: ignore[union-attr]
    assert step_costs(tmp_path / "nowhere.json") is None


def test_the_probe_takes_a_moment() -> None:
    assert 0.005 < costs.probe_seconds() < 5
