"""Settings as plain values, for files, run parameters and content keys; and back from a file."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

C = TypeVar("C")


def as_plain(config: Any) -> Any:
    """Turn a dataclass (nested, with paths and tuples) into dicts, lists and scalars."""
    if is_dataclass(config) and not isinstance(config, type):
        return {f.name: as_plain(getattr(config, f.name)) for f in fields(config)}
    if isinstance(config, dict):
        return {str(key): as_plain(value) for key, value in config.items()}
    if isinstance(config, (list, tuple)):
        return [as_plain(value) for value in config]
    if isinstance(config, Path):
        return str(config)
    return config


def from_plain(kind: type[C], plain: Mapping[str, Any]) -> C:
    """Build the dataclass ``kind`` from what :func:`as_plain` made of one.

    Raises
    ------
    TypeError
        For a name that ``kind`` does not have; what its own checks raise besides.
    """
    hints = get_type_hints(kind)
    return kind(
        **{
            name: from_plain(hints[name], value) if is_dataclass(hints.get(name)) else value
            for name, value in plain.items()
        }
    )


def as_dotted(config: Any) -> dict[str, Any]:
    """Flatten to ``{"optimizer.lr": 0.001, ...}``, leaves as plain values."""
    out: dict[str, Any] = {}

    def descend(value: Any, prefix: str) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                descend(inner, f"{prefix}.{key}" if prefix else key)
        else:
            out[prefix] = value

    descend(as_plain(config), "")
    return out


def as_yaml(config: Any) -> str:
    """Render the resolved settings in the order the dataclass declares them."""
    return yaml.safe_dump(as_plain(config), sort_keys=False, allow_unicode=True)
