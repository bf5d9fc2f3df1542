"""A rung comes with the sound one that it is measured against."""

from __future__ import annotations

import pytest

from recdistill.distillation import MISTAKES
from recdistill.errors import UserError
from recdistill.ladder import LADDER, rungs_named


def test_all_rungs_stand_above_what_they_are_measured_against() -> None:
    seen = {"baseline"}
    for name in rungs_named("all"):
        assert LADDER[name].against in seen
        assert LADDER[name].what
        seen.add(name)
    assert set(MISTAKES) <= seen


def test_a_mistake_brings_the_sound_rung_along() -> None:
    assert rungs_named("padding_index, zero") == ["zero", "listwise", "padding_index"]
    assert rungs_named("none") == []


def test_a_rung_that_is_none_is_refused() -> None:
    with pytest.raises(UserError, match="has no rung 'lisdwise': take all, none, or some of zero"):
        rungs_named("lisdwise")
