"""Where the settings' files lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from recdistill.errors import UserError

_LONGEST = 500


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
    # A name of any length, with whatever is in it, must not fill the terminal.
    name = "".join(sign if sign.isprintable() else " " for sign in str(path))
    where = f"The settings file {name if len(name) <= _LONGEST else f'{name[:_LONGEST]}...'}"
    content = parse_yaml(read_text(path, where), where)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UserError(f"{where} must hold 'name: value' lines.")
    return content


def read_text(path: Path, where: str) -> str:
    """Read a text in UTF-8; ``where`` begins the sentence of a file that is none.

    Raises
    ------
    UserError
        When the file cannot be read, or is no text in UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{where} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise UserError(f"{where} is no text in UTF-8: {_in_one_line(error)}.") from None


def parse_yaml(text: str, where: str) -> Any:
    """Read YAML; ``where`` begins the sentence of a text that is none.

    Raises
    ------
    UserError
        Also for what the parser itself stumbles over: a 13th month, 5,000 digits or brackets.
    """
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise UserError(f"{where} is not valid YAML: {_in_one_line(error)}.") from None
    except RecursionError:
        raise UserError(f"{where} is not valid YAML: it is nested too deeply.") from None


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``over`` laid on top, key by key into nested mappings."""
    out = dict(base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key] = merged(out[key], value)
        else:
            out[key] = value
    return out
