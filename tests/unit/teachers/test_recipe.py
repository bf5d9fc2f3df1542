"""A teacher's recipe comes back as it was saved, and says when it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recdistill.errors import UserError
from recdistill.teachers import (
    HeadSettings,
    OptimizerSettings,
    TeacherConfig,
    TeacherRecipe,
    TrainingSettings,
    load_recipe,
    save_recipe,
)

if TYPE_CHECKING:
    from pathlib import Path

RECIPE = TeacherRecipe(
    TeacherConfig(llm="a/model", adapter="lora", head=HeadSettings(dim=16), checkpointing=True),
    TrainingSettings(ema=0.5, optimizer=OptimizerSettings(lr=1e-3)),
)


def test_a_recipe_comes_back_as_it_was(tmp_path: Path) -> None:
    save_recipe(RECIPE, tmp_path)
    assert load_recipe(tmp_path) == RECIPE


def test_an_edited_recipe_is_refused(tmp_path: Path) -> None:
    save_recipe(RECIPE, tmp_path)
    path = tmp_path / "recipe.json"
    path.write_text(path.read_text().replace('"dim": 16', '"dim": 32'))
    with pytest.raises(UserError, match=r"recipe\.json"):
        load_recipe(tmp_path)


def test_a_teacher_of_before_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="train it again"):
        load_recipe(tmp_path)
