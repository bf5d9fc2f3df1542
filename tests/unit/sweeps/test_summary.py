"""Table, card, pictures and page of a finished study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from recdistill.sweeps import (
    best_trial,
    card,
    draw,
    importances,
    page,
)
from recdistill.sweeps._summary import trial_table
from tests.unit.sweeps import toy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.unit.sweeps.conftest import Hill


def now_and_then(settings: Mapping[str, Any], **rest: Any) -> Mapping[str, float]:
    """Fail on some of the hill, with a text that a page must not take for markup."""
    if settings["x"] > 0.9:
        raise ValueError("<b>too far</b>")
    return toy.climb(settings, **rest)


@pytest.fixture
def climbed(hill: Hill) -> Hill:
    """Twelve trials, some of them failed."""
    hill.fill(12)
    hill.worker(now_and_then).work()
    return hill


def test_all_that_a_sweep_shows(climbed: Hill) -> None:
    study, spec, space = climbed.study, climbed.spec, climbed.space
    table = trial_table(study, spec, space)
    assert len(table) == 12
    assert table[spec.metric].dropna().is_monotonic_decreasing
    best = best_trial(study)
    assert best is not None
    assert table["trial"][0] == best.number
    assert table["vs_baseline"][0] == pytest.approx(table[spec.metric][0] - 0.5)

    found = importances(study)
    assert next(iter(found)) == "x", "the hill rises along x and nowhere else"
    words = card(study, spec, space, storage="sqlite")
    assert f"**Best** trial {best.number}" in words
    assert "against 'nothing' (trial 0)" in words

    names = {path.stem for path in draw(study, spec, space, climbed.folder / "plots")}
    assert names == {"history", "slices", "importances", "parallel_coordinates"}
    html = page(study, spec, space, summary="a <hill>")
    assert "a &lt;hill&gt;" in html
    assert "<b>too far" not in html
    assert '<script src="http' not in html


def test_before_the_first_result_there_is_little_to_show(hill: Hill) -> None:
    hill.fill(2)
    assert trial_table(hill.study, hill.spec, hill.space).empty
    assert draw(hill.study, hill.spec, hill.space, hill.folder / "plots") == []
    assert "No trial is complete yet" in card(hill.study, hill.spec, hill.space, storage="s")
