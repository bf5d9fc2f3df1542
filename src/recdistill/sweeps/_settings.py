"""A stage's settings by dotted name: their types, and a copy with some of them changed."""

from __future__ import annotations

from dataclasses import is_dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Mapping

C = TypeVar("C")


def setting_types(kind: type, prefix: str = "") -> dict[str, Any]:
    """Return the type of every setting by dotted name; nested settings are descended into."""
    out: dict[str, Any] = {}
    for name, hint in get_type_hints(kind).items():
        if isinstance(hint, type) and is_dataclass(hint):
            out |= setting_types(hint, f"{prefix}{name}.")
        else:
            out[prefix + name] = hint
    return out


def with_settings(config: C, settings: Mapping[str, Any]) -> C:
    """Return a copy of ``config`` with these settings, each checked by its own rules."""
    own: dict[str, Any] = {}
    nested: dict[str, dict[str, Any]] = {}
    for name, value in settings.items():
        first, _, rest = name.partition(".")
        if rest:
            nested.setdefault(first, {})[rest] = value
        else:
            own[first] = value
    for first, inner in nested.items():
        own[first] = with_settings(getattr(config, first), inner)
    return replace(config, **own)  # type: ignore[type-var]
