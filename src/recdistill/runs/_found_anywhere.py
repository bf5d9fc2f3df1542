"""A run's settings in words that mean the same in another folder, whatever run is newest there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recdistill.object_store import is_address

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = "process.folder"
"""Tag of a run: the folder that it was started in."""

# What is written (``output``, ``copy_to``) is none of these: a repetition keeps off what is there.
_FILES = {
    "data_path", "train_file", "val_file", "test_file", "items_file", "users", "new_items",
    "inbox", "log",
}  # fmt: skip
_MODELS = {"llm", "encoder", "encoders"}
_SHIPPED = {"smollm2-135m", "all-minilm-l6-v2", "tfidf"}  # a folder of such a name is not read
_PREPARED = {"prepared": "data.folder", "extends": "data.parent"}
_NUMBER = re.compile(r"[-+.\deE]+")


def found_anywhere(settings: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
    """Name files and folders by whole paths, and the runs that were read by their ids.

    Parameters
    ----------
    settings : of a stage, as ``config.yaml`` of its run has them.
    tags : of that run: where it was started, what it read, which data it was on. A run of before
        that does not say where it was started is taken to have been started here.
    """
    then = Path(tags.get(FOLDER, ""))
    start = (then if then.is_dir() else Path()).absolute()
    named = {key: _with_paths(key, value, start, tags) for key, value in settings.items()}
    grown = start / "data" / tags.get("data.folder", "")
    if named.get("extends") and named.get("prepared") == "" and _is_prepared(grown):
        # What data grew from is looked for beside them, and so they are read where they lie.
        named |= {"prepared": str(grown), "extends": ""}
    for key in settings:
        # A student's teacher_run is the table it learnt from; its teachers are that table's.
        of_student = key == "teacher_run" and "table_run_id" in tags
        read = tags.get("table_run_id" if of_student else f"{key}_id")
        if key.endswith("_run") and read:
            named[key] = _weighted(settings[key], read) if key == "teacher_run" else read
    return named


def _with_paths(key: str, value: Any, start: Path, tags: Mapping[str, str]) -> Any:
    """Name what a setting's value stands for by a whole path, where that is a file or a folder."""
    if isinstance(value, dict):
        return {inner: _with_paths(inner, one, start, tags) for inner, one in value.items()}
    if isinstance(value, list):
        return [_with_paths(key, one, start, tags) for one in value]
    if not isinstance(value, str) or not value or is_address(value):
        return value
    name = key.rpartition(".")[2]  # nightly hands settings on by dotted names
    path = start / Path(value).expanduser()
    if name in _PREPARED:
        by_run = tags.get(_PREPARED[name], value)
        places = [path, start / "data" / value, start / "data" / by_run]
        return str(next(filter(_is_prepared, places), places[-1]))
    is_model = name in _MODELS and value not in _SHIPPED and path.exists()
    return str(path) if name in _FILES or is_model else value


def _is_prepared(folder: Path) -> bool:
    return (folder / "manifest.json").is_file()


def _weighted(said: str, ids: str) -> str:
    """Give the teachers the weights again that ``run:0.6,run:0.4`` gave them."""
    found = ids.split(",")
    weights = [word.rpartition(":")[2].strip() for word in said.split(",") if ":" in word]
    if len(weights) != len(found) or not all(map(_NUMBER.fullmatch, weights)):
        return ids
    return ",".join(f"{one}:{weight}" for one, weight in zip(found, weights, strict=True))
