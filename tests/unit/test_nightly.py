"""A night's settings are refused before the night, and not when their stage's turn comes."""

from __future__ import annotations

from pathlib import Path

import pytest

from projects.nightly import OF_STAGES, Config
from recdistill.config import parse
from recdistill.errors import UserError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("section", "setting"),
    [(section, setting) for section, (_, said) in OF_STAGES.items() for setting in said],
)
def test_a_setting_that_the_night_says_itself_is_refused(section: str, setting: str) -> None:
    with pytest.raises(UserError, match=f"^{section} sets {setting}, which the night itself says"):
        Config(**{section: {setting: "1"}})


@pytest.mark.parametrize("section", OF_STAGES)
def test_a_setting_that_a_stage_does_not_have_is_refused(section: str) -> None:
    for setting in ("no_such", "parent"):
        with pytest.raises(UserError, match=f"^{section}: .*{setting}"):
            Config(**{section: {setting: "1"}})


@pytest.mark.parametrize(
    ("section", "given", "complaint"),
    [
        ("training", {"max_epochs": "many"}, "max_epochs"),
        ("preparing", {"split": "rolling", "rolling.days": "0"}, "rolling.days is 0"),
        ("preparing", {"max_users": "9"}, "extends cannot be combined with max_users"),
        ("promoting", {"force": "true"}, "give a reason"),
        ("watching", {"hours": "0"}, "hours is 0"),
    ],
)
def test_a_value_that_a_stage_refuses_is_refused(
    section: str, given: dict[str, str], complaint: str
) -> None:
    with pytest.raises(UserError, match=f"^{section}: .*{complaint}"):
        Config(**{section: given})  # type: ignore[arg-type]


def test_the_example_is_taken() -> None:
    config = parse(Config, "nightly", [f"--config={ROOT}/examples/nightly/nightly.yaml"])
    assert config.preparing["split"] == "rolling"
