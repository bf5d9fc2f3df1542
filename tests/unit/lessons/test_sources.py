"""What a student learns from names itself in keys: runs by id, and the weights asked for."""

from __future__ import annotations

import pytest

from recdistill.errors import UserError
from recdistill.lessons import Sources, weighted_references, weights_input
from recdistill.runs import RunReference
from recdistill.runs._recipe_key import recipe_key

IDS = ["a" * 32, "b" * 32]


def reference(run_id: str) -> RunReference:
    return RunReference(run_id, run_id[:4], "export_teacher", {}, {}, {})


def inputs(teacher_run: str) -> dict[str, str]:
    """Name the inputs of a run of ``distill`` with these two tables."""
    _, weights = weighted_references(teacher_run)
    tables = [reference(one) for one in IDS]
    return Sources(reference("c" * 32), tables, tables, weights).inputs()


def test_other_weights_are_another_recipe_and_another_computation() -> None:
    one, other = inputs("x:0.9,y:0.1"), inputs("x:0.1,y:0.9")
    assert one != other
    assert recipe_key("distill", {}, one) != recipe_key("distill", {}, other)
    assert one == inputs("x:.9, y:0.10"), "the same weights, written otherwise"


def test_weights_that_are_picked_are_no_input() -> None:
    assert inputs("x,y") == {"baseline": "c" * 32, "tables": ",".join(IDS)}
    assert weights_input(None) == {}


@pytest.mark.parametrize("text", ["x:0.9,y", "x:heavy,y:light"])
def test_weights_for_some_or_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="weight"):
        weighted_references(text)
