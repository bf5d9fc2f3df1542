"""What a run must remember to be repeated: code, packages, machine."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path

import psutil

_DIFF_LIMIT = 2_000_000
_FIELD = {key: re.compile(rf"^{key}: *(\S+)", re.MULTILINE) for key in ("Name", "Version")}


def git_state() -> tuple[dict[str, str], str]:
    """Return tags (commit, branch, dirty flag) and the diff against the commit.

    Outside a git checkout both are empty. A diff of more than 2 MB is cut, and says so.
    """
    commit = _git("rev-parse", "HEAD")
    if not commit:
        return {}, ""
    changed = _git("status", "--porcelain", "--untracked-files=normal")
    diff = _git("diff", "HEAD") if changed else ""
    if len(diff) > _DIFF_LIMIT:
        diff = diff[:_DIFF_LIMIT] + "\n... cut here: the diff is longer than 2 MB\n"
    tags = {
        "mlflow.source.git.commit": commit,
        "mlflow.source.git.branch": _git("rev-parse", "--abbrev-ref", "HEAD"),
        "git.dirty": "true" if changed else "false",
    }
    untracked = [line[3:] for line in changed.splitlines() if line.startswith("??")]
    if untracked:
        diff += "\n# untracked files, not part of the diff:\n# " + "\n# ".join(untracked) + "\n"
    return tags, diff


def _git(*words: str) -> str:
    return _said("git", *words)


def _said(*command: str) -> str:
    """Return what a program prints; nothing where it is missing, fails or does not end."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def packages() -> str:
    """Every installed distribution as ``name==version`` lines, sorted."""
    found = {"==".join(_named(one)) for one in metadata.distributions()}
    return "\n".join(sorted(found, key=str.lower)) + "\n"


def _named(one: metadata.Distribution) -> tuple[str, str]:
    """Read name and version off the first lines: parsing all of every page takes a while."""
    text = one.read_text("METADATA") or ""
    name, version = (_FIELD[key].search(text) for key in ("Name", "Version"))
    return (name[1], version[1]) if name and version else (one.metadata["Name"], one.version)


def hardware() -> dict[str, object]:
    """CPU, memory and NVIDIA GPUs, as far as the machine tells."""
    return {
        "machine": platform.machine(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "cpu": _processor(),
        "cpu_count": os.cpu_count(),
        "memory_mb": round(psutil.virtual_memory().total / 1e6),
        "gpus": _gpus(),
    }


def _processor() -> str:
    """Return the processor's own name, as far as the system tells it in a file."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


def _gpus() -> list[dict[str, object]]:
    """Ask the driver's own program: torch takes seconds to import, and many stages need none."""
    found = _said("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits")
    rows = (line.rpartition(", ") for line in found.splitlines())
    # The driver counts in MiB, everything else here in 10^6 bytes.
    return [
        {"name": name, "memory_mb": round(float(mib) * 2**20 / 1e6)}
        for name, _, mib in rows
        if mib.strip().isdigit()
    ]
