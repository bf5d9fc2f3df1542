"""Where the settings' files lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from recdistill.errors import UserError


def home() -> Path:
    """Return the folder of ``projects/`` and ``conf/``.

    The checkout that this package lies in, else the copy that a wheel carries.
    """
    checkout = Path(__file__).parents[3]
    if (checkout / "MLproject").is_file():
        return checkout
    return Path(__file__).parents[1] / "_home"


def conf_folder() -> Path:
    """Return ``conf/`` of the working folder if it is one of ours, else the one at home."""
    here = Path("conf")
    return here if (here / "presets").is_dir() else home() / "conf"


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
