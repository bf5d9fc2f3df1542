"""A smaller group of settings out of a stage's."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

C = TypeVar("C")


def part_of(config: object, kind: type[C], **changes: Any) -> C:
    """Collect the fields of the dataclass ``kind`` among those of ``config``, by name.

    ``changes`` win; what neither has keeps its default.
    """
    names = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    found = {name: getattr(config, name) for name in names if hasattr(config, name)}
    return kind(**found | changes)
