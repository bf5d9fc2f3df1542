"""Where the settings' files lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from recdistill.errors import UserError


def conf_folder() -> Path:
    """Return ``conf/`` of the working folder, else the one shipped inside the package."""
    here = Path("conf")
    if here.is_dir():
        return here
    return Path(__file__).parents[1] / "_conf"


def read_yaml(path: Path) -> dict[str, Any]:
    """Read one mapping; an empty file is an empty mapping.

    Raises
    ------
    UserError
        When the file is missing, is no YAML, or holds something else than a mapping.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"The settings file {path} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"The settings file {path} is not valid YAML: {error}.") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UserError(f"The settings file {path} must hold 'name: value' lines.")
    return content


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``over`` laid on top, key by key into nested mappings."""
    out = dict(base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key] = merged(out[key], value)
        else:
            out[key] = value
    return out
