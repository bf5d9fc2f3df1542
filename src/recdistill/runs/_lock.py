"""The lock of a commit: what it pins, what is installed otherwise, an environment made of it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LOCK = "requirements.lock"
_EXTRAS = "llm,server"


@dataclass(frozen=True)
class Lock:
    """The pinned packages of a checkout.

    Attributes
    ----------
    digest : SHA-256 of the file.
    pinned : version by name, in lower case with dashes.
    """

    digest: str
    pinned: dict[str, str]

    @classmethod
    def read(cls, checkout: Path) -> Lock | None:
        """Read the lock of a checkout; None where it has none."""
        path = checkout / LOCK
        if not path.is_file():
            return None
        content = path.read_bytes()
        lines = content.decode("utf-8").splitlines()
        return cls(hashlib.sha256(content).hexdigest(), versions(lines))

    def otherwise(self, installed: Iterable[str]) -> list[str]:
        """Name the ``installed`` packages (``name==version``) that are not as the lock says.

        The builds of a package for a CPU and for a GPU (``2.1.0+cpu``) are one version.
        """
        return [
            f"{name} {version} (locked {self.pinned[name]})"
            for name, version in sorted(versions(installed).items())
            if name in self.pinned and version.partition("+")[0] != self.pinned[name]
        ]


def versions(lines: Iterable[str]) -> dict[str, str]:
    """Return version by name of lines ``name==version``; others are left out."""
    found = {}
    for line in lines:
        if pinned := re.match(r"([\w.-]+)(?:\[.*\])?==([^\s;]+)", line):
            found[re.sub(r"[-_.]+", "-", pinned[1]).lower()] = pinned[2]
    return found


def build_environment(checkout: Path, folder: Path) -> Path:
    """Make an environment of a checkout's lock, with uv; return its Python.

    Raises
    ------
    UserError
        When uv is missing, the checkout has no lock, or a package cannot be had.
    """
    uv = shutil.which("uv")
    if uv is None:
        raise UserError("rebuild=true needs uv (pip install uv), which is not on the PATH.")
    if not (checkout / LOCK).is_file():
        raise UserError(f"rebuild=true needs a {LOCK}, and the run's commit has none.")
    python = folder / "bin" / "python"
    # uv does not read pip's settings: a folder of local wheels must be told to it.
    known = (
        {"UV_FIND_LINKS": os.environ["PIP_FIND_LINKS"]} if "PIP_FIND_LINKS" in os.environ else {}
    )
    asked = f"{checkout}[{_EXTRAS}]"
    for words in (
        ["venv", "--python", "3.11", str(folder)],
        ["pip", "install", "--python", str(python), "-c", str(checkout / LOCK), asked],
    ):
        done = subprocess.run(
            [uv, *words], env=known | os.environ, capture_output=True, text=True, check=False
        )
        if done.returncode:
            said = " ".join(done.stderr.split())[-600:]
            raise UserError(f"The environment of the run's lock cannot be made: {said}")
    return python
