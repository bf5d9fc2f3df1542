"""A lock says what it pins; what is installed otherwise is named; uv makes an environment of it."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from recdistill.errors import UserError
from recdistill.runs._lock import Lock, build_environment

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "# made by make lock\nnumpy==2.4.6\nruamel-yaml==1.0\nuvicorn[standard]==0.30\n"
PROJECT = """
[project]
name = "tiny"
version = "1"
optional-dependencies = {llm = [], server = []}
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "requirements.lock").write_text(TEXT)
    return tmp_path


def test_what_is_not_as_locked_is_named_and_a_build_is_no_version(checkout: Path) -> None:
    lock = Lock.read(checkout)
    assert lock is not None
    assert lock.pinned == {"numpy": "2.4.6", "ruamel-yaml": "1.0", "uvicorn": "0.30"}
    assert lock.otherwise(["numpy==2.4.6+cpu", "Ruamel_Yaml==1.0", "other==3"]) == []
    assert lock.otherwise(["NumPy==2.4.5", "uvicorn==0.30"]) == ["numpy 2.4.5 (locked 2.4.6)"]


def test_one_changed_letter_is_another_lock(checkout: Path) -> None:
    before = Lock.read(checkout)
    (checkout / "requirements.lock").write_text(TEXT + "#")
    assert Lock.read(checkout) != before
    (checkout / "requirements.lock").unlink()
    assert Lock.read(checkout) is None


def test_without_uv_or_a_lock_there_is_one_sentence(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(UserError, match="needs uv"):
        build_environment(checkout, checkout / "environment")
    monkeypatch.setattr(shutil, "which", lambda _: "/bin/false")
    with pytest.raises(UserError, match="cannot be made"):
        build_environment(checkout, checkout / "environment")
    (checkout / "requirements.lock").unlink()
    with pytest.raises(UserError, match="has none"):
        build_environment(checkout, checkout / "environment")


@pytest.mark.skipif(not shutil.which("uv"), reason="no uv to build the locked environment with")
def test_uv_makes_an_environment_with_the_checkout_in_it(tmp_path: Path) -> None:
    """A project of one file without packages: what is tried is the way, not the download."""
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "tiny.py").write_text("")
    (tmp_path / "requirements.lock").write_text("")
    python = build_environment(tmp_path, tmp_path / "environment")
    assert subprocess.run([python, "-c", "import tiny"], check=False).returncode == 0
