"""Help says what every setting does, main ones first, in the words of the settings file."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from recdistill.config import (
    as_dotted,
    help_text,
    main_fields,
    main_fields_of,
    read_notes,
    stage_module,
    stage_names,
)


@pytest.mark.parametrize("stage", stage_names())
def test_every_setting_is_in_its_stages_help_with_the_default_main_ones_first(stage: str) -> None:
    config = stage_module(stage).Config
    text = help_text(config, stage)
    settings = as_dotted(config())
    told = [line.split("=")[0].strip()[2:] for line in text.splitlines() if line.startswith("  --")]
    assert len(told) == len(set(told))
    main = main_fields_of(config)
    assert tuple(told[: len(main)]) == main
    for name in settings:
        group, _, member = name.partition(".")
        if not (name in told or group in text):  # a group's own name, or the data's list
            pytest.fail(f"{name} is not in the help of {stage}")
        if member and group in told:
            pytest.fail(f"{group} is told as if it were one setting")


@pytest.mark.parametrize("stage", stage_names())
def test_every_setting_has_words_beside_its_type(stage: str) -> None:
    lines = help_text(stage_module(stage).Config, stage).splitlines()
    meanings = {
        line.strip(): below.strip()
        for line, below in pairwise([*lines, ""])
        if line.startswith("  --")
    }
    assert meanings
    bare = [name for name, words in meanings.items() if not words or words.startswith("[")]
    assert not bare, f"conf/{stage}.yaml does not say what these are"


def test_comments_above_beside_and_below_a_setting_are_its_meaning() -> None:
    notes = read_notes(
        "# stage: what it is.\n# Costs a second.\n\n"
        "# Above.\na: 1   # Beside,\n       # and below.\n"
        "b:\n  c: 2  # Inside.\n  d: 3\n"
    )
    assert notes.intro == "stage: what it is. Costs a second."
    assert notes.of == {"a": "Above. Beside, and below.", "b": "", "b.c": "Inside.", "b.d": ""}
    assert notes.named == {"a", "b"}


def test_main_fields_must_exist_and_those_of_the_data_come_last() -> None:
    @dataclass(frozen=True)
    class OnData:
        dataset: str = ""
        data_path: str = ""
        seed: int = 0
        preset: str = ""
        use_cache: bool = True
        own: list[int] = field(default_factory=list)

    assert main_fields_of(OnData) == ()
    marked = main_fields("own", "seed")(OnData)
    assert main_fields_of(marked) == ("own", "seed", "dataset", "data_path", "preset", "use_cache")
    with pytest.raises(TypeError, match="no field other"):
        main_fields("other")(OnData)
