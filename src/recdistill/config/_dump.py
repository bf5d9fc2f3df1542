"""Settings back into plain values: for config.yaml, for run parameters, for content keys."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import yaml


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
