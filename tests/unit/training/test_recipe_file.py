"""A recipe comes back as it was saved, and says when it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill.config import from_plain
from recdistill.errors import UserError
from recdistill.students import StudentConfig
from recdistill.training import (
    FitConfig,
    LossConfig,
    OptimizerConfig,
    StudentRecipe,
    StudentTraining,
    load_recipe,
    save_recipe,
)

if TYPE_CHECKING:
    from pathlib import Path


@given(
    dim=st.sampled_from([16, 64]),
    lr=st.floats(1e-5, 1e-1),
    epochs=st.integers(1, 99),
    smoothing=st.floats(0, 0.5),
)
@settings(max_examples=20, deadline=None)
def test_a_recipe_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, dim: int, lr: float, epochs: int, smoothing: float
) -> None:
    recipe = StudentRecipe(
        StudentConfig(dim=dim),
        LossConfig(label_smoothing=smoothing),
        FitConfig(max_epochs=epochs, optimizer=OptimizerConfig(lr=lr)),
    )
    folder = tmp_path_factory.mktemp("recipe")
    save_recipe(recipe, folder)
    assert load_recipe(folder) == recipe
    # As settings of a stage it asks for the same training.
    asked = from_plain(StudentTraining, recipe.settings())
    assert asked.recipe(recipe.architecture.kind) == recipe


def test_an_edited_recipe_is_refused(tmp_path: Path) -> None:
    save_recipe(StudentRecipe(StudentConfig()), tmp_path)
    path = tmp_path / "recipe.json"
    path.write_text(path.read_text().replace('"dim": 64', '"dim": 32'))
    with pytest.raises(UserError, match=r"recipe\.json"):
        load_recipe(tmp_path)


def test_a_model_without_a_recipe_cannot_be_copied(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"without recipe\.json"):
        load_recipe(tmp_path)
