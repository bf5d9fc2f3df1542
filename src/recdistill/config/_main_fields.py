"""The settings that a stage is mostly asked by: first in its help, and all of MLproject's menu."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

C = TypeVar("C")

_ON_DATA = ("dataset", "data_path", "seed", "preset", "use_cache")
_MARK = "__main_fields__"


def main_fields(*names: str) -> Callable[[type[C]], type[C]]:
    """Mark the main fields of a stage's settings, in the order in which a menu lists them.

    They come after those that a base marked. A stage on data has those of every stage on data as
    well, at the end.

    Raises
    ------
    TypeError
        For a name that is no field of the dataclass.
    """

    def mark(kind: type[C]) -> type[C]:
        known = {one.name for one in fields(kind)}  # type: ignore[arg-type]
        if unknown := set(names) - known:
            raise TypeError(f"{kind.__module__}.{kind.__qualname__} has no field {min(unknown)}")
        common = _ON_DATA if known.issuperset(_ON_DATA) else ()
        setattr(kind, _MARK, tuple(dict.fromkeys((*main_fields_of(kind), *names, *common))))
        return kind

    return mark


def main_fields_of(kind: type[Any]) -> tuple[str, ...]:
    """Return the names that :func:`main_fields` marked."""
    marked: tuple[str, ...] = getattr(kind, _MARK, ())
    return marked
