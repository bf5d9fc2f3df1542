"""A smaller group of settings out of a stage's."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

from recdistill.config._dump import as_plain

C = TypeVar("C")


def part_of(config: object, kind: type[C], **changes: Any) -> C:
    """Collect the fields of the dataclass ``kind`` among those of ``config``, by name.

    ``changes`` win; what neither has keeps its default.
    """
    names = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    found = {name: getattr(config, name) for name in names if hasattr(config, name)}
    return kind(**found | changes)


def changed_part(config: object, kind: type[C], always: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return what ``config`` asks of the group ``kind`` beyond its defaults, as plain values.

    What one stage asks another for: the rest is left to the other's own files and presets.
    ``always`` names settings that are given even where they are the defaults.
    """
    given = as_plain(part_of(config, kind))
    return _changed(given, as_plain(kind())) | {name: given[name] for name in always}


def _changed(given: dict[str, Any], default: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _changed(value, default[name]) if isinstance(value, dict) else value
        for name, value in given.items()
        if value != default[name]
    }
