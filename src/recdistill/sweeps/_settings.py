"""A stage's settings by dotted name: their types, and a copy with some of them changed."""

from __future__ import annotations

from dataclasses import is_dataclass, replace
from types import UnionType
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Mapping

C = TypeVar("C")


def setting_types(kind: type, prefix: str = "") -> dict[str, Any]:
    """Return the type of every setting by dotted name; nested settings are descended into.

    Settings with names of the user's own (a mapping, such as a student's own loss terms) are
    ``<setting>.*``; see :func:`type_of`.
    """
    out: dict[str, Any] = {}
    for name, hint in get_type_hints(kind).items():
        if isinstance(hint, type) and is_dataclass(hint):
            out |= setting_types(hint, f"{prefix}{name}.")
        elif get_origin(hint) is dict:
            out[f"{prefix}{name}.*"] = get_args(hint)[1]
        else:
            out[prefix + name] = _without_none(hint)
    return out


def _without_none(hint: Any) -> Any:
    """Return what a setting is when it is given: ``float`` for ``float | None``."""
    given = [kind for kind in get_args(hint) if kind is not type(None)]
    return given[0] if isinstance(hint, UnionType) and len(given) == 1 else hint


def type_of(name: str, types: Mapping[str, Any]) -> Any:
    """Look up a setting's type in what `setting_types` returned; None where there is none."""
    return types.get(name, types.get(f"{name.partition('.')[0]}.*"))


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
        before = getattr(config, first)
        own[first] = before | inner if isinstance(before, dict) else with_settings(before, inner)
    return replace(config, **own)  # type: ignore[type-var]
