"""A student's recipe beside its weights, so that others can be trained like it."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from recdistill.checksums import read_description, understanding, write_description
from recdistill.config import from_plain
from recdistill.errors import UserError
from recdistill.students import STUDENT_KINDS
from recdistill.training._recipe import StudentRecipe

if TYPE_CHECKING:
    from pathlib import Path

RECIPE = "recipe.json"
_FORMAT = 1


def save_recipe(recipe: StudentRecipe, folder: Path) -> None:
    """Write ``recipe.json`` into a model's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_description(folder / RECIPE, {"format": _FORMAT, **asdict(recipe)}, [])


def load_recipe(folder: Path) -> StudentRecipe:
    """Read back what ``save_recipe`` wrote.

    Raises
    ------
    UserError
        When the folder holds no student, one that says nothing of its training, or a recipe that
        is not as it was written.
    """
    path = folder / RECIPE
    if not path.is_file():
        kind = _kind(folder)
        raise UserError(
            f"{folder} holds a {kind} without {RECIPE}, so nothing can be trained like it: name a "
            f"run of {' or '.join(STUDENT_KINDS)}, and train it again if an older version made it."
        )
    plain = read_description(path, "recipe", formats=(_FORMAT,), checked_from=_FORMAT)
    with understanding(path, "recipe"):
        return from_plain(StudentRecipe, {f.name: plain[f.name] for f in fields(StudentRecipe)})


def _kind(folder: Path) -> str:
    path = folder / "config.json"
    return str(json.loads(path.read_text()).get("kind", "model")) if path.is_file() else "model"
