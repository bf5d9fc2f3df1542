"""A teacher's recipe beside its weights, so that others can be trained like it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING

from recdistill.checksums import read_description, understanding, write_description
from recdistill.config import from_plain
from recdistill.errors import UserError
from recdistill.teachers._config import TeacherConfig
from recdistill.teachers._training_settings import TrainingSettings

if TYPE_CHECKING:
    from pathlib import Path

_RECIPE = "recipe.json"
_FORMAT = 1


@dataclass(frozen=True)
class TeacherRecipe:
    """All that decides a teacher's training but data, seed, baseline and ``TeacherSettings``.

    Attributes
    ----------
    teacher : the language model, its adapter and the format it computes in
    training : the loop
    """

    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    training: TrainingSettings = field(default_factory=TrainingSettings)


def save_recipe(recipe: TeacherRecipe, folder: Path) -> None:
    """Write ``recipe.json`` into a teacher's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_description(folder / _RECIPE, {"format": _FORMAT, **asdict(recipe)}, [])


def load_recipe(folder: Path) -> TeacherRecipe:
    """Read back what ``save_recipe`` wrote.

    Raises
    ------
    UserError
        When the folder has none, or one that is not as it was written.
    """
    path = folder / _RECIPE
    if not path.is_file():
        raise UserError(
            f"{folder} holds a teacher without {_RECIPE}, so nothing can be trained like it: an "
            "older version made it; train it again."
        )
    plain = read_description(path, "recipe", formats=(_FORMAT,), checked_from=_FORMAT)
    with understanding(path, "recipe"):
        return from_plain(TeacherRecipe, {f.name: plain[f.name] for f in fields(TeacherRecipe)})
