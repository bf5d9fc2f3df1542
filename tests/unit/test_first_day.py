"""What stops a newcomer is one sentence: no Python, no packages, a taken port, another system."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from recdistill import doctor
from recdistill.errors import UserError
from recdistill.runs import _launch

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/guides/when_something_fails.md").read_text()
needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="no make here")


def make(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--silent", *words], cwd=ROOT, env=os.environ | environment,
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@needs_make
def test_without_the_right_python_make_says_how_to_get_it(tmp_path: Path) -> None:
    done = make("PYTHON=", "UV=", f"VENV={tmp_path}/v", f"{tmp_path}/v/.with-llm")
    assert done.returncode != 0
    (said,) = done.stdout.splitlines()
    assert said.startswith("The pinned environment needs Python 3.11")
    assert said.split(":")[0] in PAGE


@needs_make
def test_packages_that_cannot_be_had_are_one_sentence_below_pips_own(tmp_path: Path) -> None:
    python = tmp_path / "v/bin/python"  # an environment whose pip reaches nothing
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho 'ERROR: No matching distribution' >&2\nexit 1\n")
    python.chmod(0o755)
    done = make(f"PYTHON={sys.executable}", "UV=", f"VENV={tmp_path}/v", f"{tmp_path}/v/.with-llm")
    assert done.returncode != 0
    assert "ERROR: No matching distribution" in done.stderr
    assert done.stdout.splitlines()[-1].startswith("The packages could not be installed")
    assert not (tmp_path / "v/.with-llm").exists()


def test_a_port_that_is_taken_is_said_before_the_server_starts() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [str(ROOT / "tracking/local.sh"), str(port)],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert done.returncode == 1
    (said,) = done.stderr.splitlines()
    assert said.startswith(f"Port {port} is taken by another program")
    assert "make ui PORT=" in said


def test_a_system_without_posix_processes_is_told_before_a_step_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "wait4")
    with pytest.raises(UserError, match="WSL2"):
        _launch.Child(None, "distill", {})  # type: ignore[arg-type]


@pytest.mark.parametrize(("system", "severity"), [("win32", "error"), ("darwin", "note")])
def test_the_doctor_says_what_is_known_of_other_systems(
    monkeypatch: pytest.MonkeyPatch, system: str, severity: str
) -> None:
    assert doctor._system() == []
    monkeypatch.setattr(sys, "platform", system)
    (found,) = doctor._system()
    assert found.severity == severity
