"""The stages by name: files of ``projects/``, found in a checkout or in an installed wheel."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

from recdistill.config._files import home

if TYPE_CHECKING:
    from types import ModuleType


def stage_names() -> list[str]:
    """Name every entry point: a stage with a settings file is one. ``main`` stands first."""
    names = {path.stem for path in (home() / "conf").glob("*.yaml")}
    return ["main", *sorted(names - {"main"})]


def stage_module(name: str) -> ModuleType:
    """Import the stage ``name``, whose ``Config`` and ``run`` are what others may use of it."""
    if str(home()) not in sys.path:
        sys.path.append(str(home()))
    return importlib.import_module(f"projects.{name}")
