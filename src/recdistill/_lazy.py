"""A room's names, imported when they are first used.

What a stage never uses (torch, Lightning, MLflow, ...) must not be waited for, nor be installed.
PEP 562 lets a package import a name on first use; which module has it is read from the package's
own ``if TYPE_CHECKING:`` block, so type checkers and readers see plain imports, and no second list
can go stale.
"""

from __future__ import annotations

import ast
import gc
import sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def import_on_first_use(package: str) -> None:
    """Let ``package`` hand out the names of its ``if TYPE_CHECKING:`` block; call it there."""
    module = sys.modules[package]
    homes = _homes(Path(str(module.__file__)).read_text("utf-8"))

    def imported(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home, its_name = homes[name]
        with _importing():
            found = vars(module)[name] = getattr(import_module(home), its_name)
        return found

    def names() -> list[str]:
        return sorted({*vars(module), *homes})

    # Set from outside: a type checker that saw them would believe in every name.
    vars(module).update(__getattr__=imported, __dir__=names)


@contextmanager
def _importing() -> Iterator[None]:
    """Import without Python's search for circular garbage.

    Of the hundreds of thousands of objects that MLflow or torch make while they are imported,
    nearly all stay to the end: walking them again and again finds nothing.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _homes(source: str) -> dict[str, tuple[str, str]]:
    """Find each name's module, and its name in there."""
    return {
        alias.asname or alias.name: (str(statement.module), alias.name)
        for block in ast.parse(source).body
        if isinstance(block, ast.If) and getattr(block.test, "id", "") == "TYPE_CHECKING"
        for statement in block.body
        if isinstance(statement, ast.ImportFrom) and statement.module
        for alias in statement.names
    }
