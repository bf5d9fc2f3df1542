"""What a stage is about to compute, named by its content: equal keys mean an equal result."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import sys
from functools import lru_cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from recdistill.config import home

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Where a statement holds further ones; the cases of a match and the handlers of a try are such too.
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
_QUOTED = re.compile(r"""["']([\w.]+)["']""")
_DECISIVE = (
    "torch", "numpy", "scipy", "pandas", "pyarrow", "pytorch-lightning", "transformers",
    "tokenizers", "peft", "safetensors", "gguf",
)  # fmt: skip


def content_key(stage: str, settings: dict[str, object], inputs: dict[str, str], code: str) -> str:
    """Return the key of a computation: 32 hex digits.

    Parameters
    ----------
    stage : entry point.
    settings : those that can change the result, as plain values.
    inputs : digests of the data and ids of the runs that are read.
    code : see :func:`code_digest`.
    """
    text = json.dumps(
        {"stage": stage, "settings": settings, "inputs": inputs, "code": code}, sort_keys=True
    )
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def code_digest(stage: str, roots: Mapping[str, Path] | None = None) -> str:
    """Sha256 (16 hex digits) over every line the stage can run and the libraries that compute.

    A changed line in the stage, in anything it imports from here, or another version of a library
    makes a finished run of the past a different experiment; a changed page, test or other stage
    does not.

    Parameters
    ----------
    stage : str
        An entry point; one that is not in ``projects/`` (a test's, a notebook's) may call all of
        the library, so all of it counts.
    roots : mapping, optional
        Folders of the packages ``projects`` and ``recdistill``; by default those in use.
    """
    roots = roots or project_roots()
    files = imported_files(f"projects.{stage}", roots)
    if not files:
        package = roots["recdistill"]
        paths = sorted(p for p in package.rglob("*.py") if "_home" not in p.parts)
        files = {str(path.relative_to(package)): path for path in paths}
    sha = hashlib.sha256(f"python=={sys.version_info.major}.{sys.version_info.minor}\n".encode())
    for name, path in sorted(files.items()):
        sha.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    for library in _DECISIVE:
        try:
            sha.update(f"{library}=={metadata.version(library)}\n".encode())
        except metadata.PackageNotFoundError:  # an extra that this installation is without
            sha.update(f"no {library}\n".encode())
    return sha.hexdigest()[:16]


def project_roots() -> dict[str, Path]:
    """Return the folders of our two packages, as Python finds them."""
    roots = {"projects": home() / "projects", "recdistill": Path(__file__).parents[1]}
    if (found := find_spec("projects")) and found.origin:
        roots["projects"] = Path(found.origin).parent
    return roots


def imported_files(module: str, roots: Mapping[str, Path]) -> dict[str, Path]:
    """Follow a module's imports through our packages, without importing anything.

    Counts are the imports inside of functions too, the ``__init__`` files on the way, modules that
    a string names (an import by name, a program handed over as a file), and the data files of
    every package that is reached (templates, tables).

    Returns
    -------
    dict
        File by dotted name, the module's own included; empty when it does not exist.
    """
    files: dict[str, Path] = {}
    there = _modules(roots)
    seen, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        path = there.get(name)
        if path is None:
            continue
        files[name] = path
        waiting += _parents(name)
        is_package = path.name == "__init__.py"
        if is_package:
            files.update(_data_files(name, path.parent))
        package = name if is_package else name.rpartition(".")[0]
        waiting += _names_in(path.read_text("utf-8"), package, is_package=is_package)
    return files


@lru_cache(maxsize=1000)  # a notebook asks for many keys; a source is read once
def _names_in(source: str, package: str, *, is_package: bool) -> tuple[str, ...]:
    statements = ast.parse(source).body
    in_strings = _named_in_strings(source, package, is_package=is_package)
    return (*_imported_by(statements, package, lazy=is_package), *in_strings)


def _imported_by(statements: list[ast.stmt], package: str, *, lazy: bool = False) -> Iterator[str]:
    """Yield every module that the statements may import, those within functions included.

    ``lazy``: what stands there for type checkers counts as well, because a package imports it on
    first use (:mod:`recdistill._lazy`).
    """
    for node in statements:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            above = parts[: len(parts) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            yield base
            # A name taken from a package may be a module of it.
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and _only_for_types(node.test) and not lazy:
            yield from _imported_by(node.orelse, package)
        else:
            for part in _BLOCKS:
                if inner := getattr(node, part, None):
                    yield from _imported_by(inner, package)


def _named_in_strings(source: str, package: str, *, is_package: bool) -> Iterator[str]:
    """Yield the modules that strings name: in full, as a file beside, as a module of a package."""
    for word in _QUOTED.findall(source):
        if "." not in word:
            if is_package:
                yield f"{package}.{word}"
        elif word.endswith(".py"):
            yield f"{package}.{word[:-3]}"
        else:
            yield word


def _only_for_types(test: ast.expr) -> bool:
    return "TYPE_CHECKING" in (getattr(test, "id", ""), getattr(test, "attr", ""))


def _modules(roots: Mapping[str, Path]) -> dict[str, Path]:
    """List the files of our packages by the names they are imported by."""
    found: dict[str, Path] = {}
    for top, root in roots.items():
        for folder, _, names in os.walk(root):
            place = ".".join([top, *Path(folder).relative_to(root).parts])
            for name in names:
                if name == "__init__.py":
                    found[place] = Path(folder, name)  # a package hides a module of its name
                elif name.endswith(".py"):
                    found.setdefault(f"{place}.{name[:-3]}", Path(folder, name))
    return found


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]


def _data_files(package: str, folder: Path) -> dict[str, Path]:
    found = {}
    for path in folder.iterdir():
        if path.is_dir() and path.name[0] != "_" and not (path / "__init__.py").is_file():
            found.update({f"{package}/{p.relative_to(folder)}": p for p in path.rglob("*.*")})
        elif path.is_file() and path.suffix not in (".py", ".pyc"):
            found[f"{package}/{path.name}"] = path
    return found
