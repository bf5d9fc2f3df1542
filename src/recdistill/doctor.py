"""Checks of the machine before a long run, one sentence per finding."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

Severity = Literal["ok", "note", "warning", "error"]

FLAG_VARIABLES = ("PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF")
LOW_DISK_BYTES = 10 * 10**9

# Runs in a process of its own: a driver that fails here must not take the caller with it.
_CUDA_CHECK = """
import json, torch
out = {"torch": torch.__version__, "runtime": torch.version.cuda, "available": False}
try:
    out["available"] = torch.cuda.is_available()
    if out["available"]:
        a = torch.ones(512, 512, device="cuda")
        out["product"] = float((a @ a)[0, 0])
        torch.cuda.synchronize()
        properties = torch.cuda.get_device_properties(0)
        out["name"] = properties.name
        out["capability"] = list(torch.cuda.get_device_capability(0))
        out["bf16"] = torch.cuda.is_bf16_supported(including_emulation=False)
        out["free"], out["total"] = torch.cuda.mem_get_info()
except Exception as error:
    out["error"] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
print(json.dumps(out))
"""


@dataclass(frozen=True)
class Finding:
    """What was looked at, how bad it is, and one sentence about it."""

    check: str
    severity: Severity
    sentence: str

    def as_dict(self) -> dict[str, str]:
        """Plain values, for a report."""
        return asdict(self)


def examine(
    tracking: Callable[[], str] | None = None,
    folder: Path = Path(),
    seconds: float = 120.0,
) -> list[Finding]:
    """Look at Python, PyTorch, driver, allocator flags, GPU, disk, programs and tracking store.

    Nothing is changed: flags are tried in child processes only.

    Parameters
    ----------
    tracking : callable, optional
        Returns where the tracking store is, or raises when it cannot be reached.
    folder : Path
        Whose disk is checked.
    seconds : float
        Patience with each child process.
    """
    findings = [
        _python(),
        *_system(),
        *_cuda(seconds),
        *_other_processes(),
        _disk(folder),
        *_programs(),
    ]
    if tracking is not None:
        findings.append(_tracking(tracking))
    return findings


def findings_table(findings: list[Finding]) -> str:
    """Render findings as a Markdown table, the worst first."""
    order = ("error", "warning", "note", "ok")
    rows = sorted(findings, key=lambda finding: order.index(finding.severity))
    lines = ["| | check | finding |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {f.severity} | {f.check} | {f.sentence} |" for f in rows)])


def _python() -> Finding:
    version = platform.python_version()
    if platform.python_version_tuple()[:2] != ("3", "11"):
        sentence = f"Python is {version}; the pinned environment is tested with 3.11."
        return Finding("python", "warning", sentence)
    return Finding("python", "ok", f"Python {version} on {platform.platform()}.")


def _system() -> list[Finding]:
    """Say what is known of a system that the tests do not run on."""
    known = {
        "win32": "Windows is not supported: work in WSL2, where everything is as on Linux.",
        "darwin": "macOS is not tested: expect stages and library to run, and make server not to.",
    }
    severity: Severity = "error" if sys.platform == "win32" else "note"
    said = known.get(sys.platform)
    return [Finding("system", severity, said)] if said else []


def _cuda(seconds: float) -> list[Finding]:
    flags = {name: os.environ[name] for name in FLAG_VARIABLES if os.environ.get(name)}
    plain = _check_cuda({}, seconds)
    found = [_torch(plain)]
    if "error" in plain:
        found.append(Finding("gpu", "error", f"Without any flag the GPU fails: {plain['error']}."))
    elif plain["available"]:
        found += _gpu(plain)
    for name, value in flags.items():
        found.append(_flag(name, value, plain, _check_cuda({name: value}, seconds)))
    if plain["available"] and "error" not in plain and not flags:
        found.append(
            _expandable(_check_cuda({FLAG_VARIABLES[0]: "expandable_segments:True"}, seconds))
        )
    return found


def _check_cuda(flags: dict[str, str], seconds: float) -> dict[str, Any]:
    environment = {k: v for k, v in os.environ.items() if k not in FLAG_VARIABLES} | flags
    try:
        done = subprocess.run(
            [sys.executable, "-c", _CUDA_CHECK],
            env=environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"available": False, "error": f"no answer within {seconds:g} s"}
    try:
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return {"available": False, "error": f"exit code {done.returncode}, {last}"}
    return answer


def _torch(answer: dict[str, Any]) -> Finding:
    if "torch" not in answer:
        return Finding("torch", "error", f"PyTorch does not run: {answer['error']}.")
    driver = _nvidia_smi("driver_version")
    versions = f"PyTorch {answer['torch']}, CUDA runtime {answer['runtime'] or 'none'}"
    versions += f", driver {driver[0]}" if driver else ", no NVIDIA driver"
    if driver and not answer["available"]:
        sentence = f"{versions}: a GPU is installed but PyTorch cannot use it; install a CUDA build"
        return Finding("torch", "warning", f"{sentence} whose runtime the driver supports.")
    if not answer["available"]:
        return Finding("torch", "note", f"{versions}: everything runs on the CPU.")
    return Finding("torch", "ok", f"{versions}.")


def _gpu(answer: dict[str, Any]) -> list[Finding]:
    free, total = answer["free"] / 1e9, answer["total"] / 1e9
    capability = ".".join(map(str, answer["capability"]))
    about = f"{answer['name']} (capability {capability}) allocates and multiplies"
    found = [Finding("gpu", "ok", f"{about}; {free:.1f} of {total:.1f} GB are free.")]
    if free < 0.8 * total:
        sentence = f"Only {free:.1f} of {total:.1f} GB are free: something else holds the rest."
        found.append(Finding("gpu memory", "warning", sentence))
    if answer["bf16"]:
        found.append(Finding("bf16", "ok", "The GPU computes in bfloat16."))
    else:
        sentence = "No native bfloat16 (needs capability 8.0): use precision=16-mixed or 32-true."
        found.append(Finding("bf16", "warning", sentence))
    return found


def _flag(name: str, value: str, plain: dict[str, Any], flagged: dict[str, Any]) -> Finding:
    if "error" in flagged and "error" not in plain:
        sentence = (
            f"{name}={value} breaks this machine ({flagged['error']}); without it the same check "
            f"passes: unset {name}."
        )
        return Finding("allocator flags", "error", sentence)
    if plain["available"]:
        return Finding("allocator flags", "ok", f"{name}={value} works here.")
    sentence = f"{name}={value} is set; without a usable GPU it has no effect and cannot be tried."
    return Finding("allocator flags", "note", sentence)


def _expandable(answer: dict[str, Any]) -> Finding:
    if "error" in answer:
        sentence = (
            f"expandable_segments would fail on this driver ({answer['error']}); it is not set, "
            "keep it so."
        )
        return Finding("allocator flags", "note", sentence)
    return Finding("allocator flags", "ok", "None is set; expandable_segments would work here.")


def _other_processes() -> list[Finding]:
    lines = _nvidia_smi("pid,process_name,used_memory", "compute-apps")
    others = [line for line in lines if line.split(",")[0].strip() != str(os.getpid())]
    if not others:
        return []
    sentence = f"{len(others)} other process(es) use the GPU: {'; '.join(others[:5])}."
    return [Finding("gpu processes", "warning", sentence)]


def _nvidia_smi(fields: str, what: str = "gpu") -> list[str]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        done = subprocess.run(
            [program, f"--query-{what}={fields}", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    except (subprocess.SubprocessError, OSError):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    if free < LOW_DISK_BYTES:
        sentence = f"Only {free / 1e9:.1f} GB of disk are free at {folder.resolve()}: checkpoints"
        return Finding("disk", "warning", f"{sentence} and tables of a full run may not fit.")
    return Finding("disk", "ok", f"{free / 1e9:.1f} GB of disk are free.")


def _programs() -> list[Finding]:
    found = []
    if shutil.which("git") is None:
        sentence = "git is missing: runs cannot record the code they ran."
        found.append(Finding("programs", "warning", sentence))
    managers = {"uv": "uv", "conda": "conda", "virtualenv": "pyenv"}
    present = [manager for manager, program in managers.items() if shutil.which(program)]
    choices = " or ".join(f"--env-manager {manager}" for manager in present)
    if present:
        sentence = f"mlflow run can build the environment itself: {choices}."
        found.append(Finding("programs", "ok", sentence))
    else:
        sentence = "Neither uv, conda nor pyenv is here: call mlflow run with --env-manager local."
        found.append(Finding("programs", "note", sentence))
    return found


def _tracking(tracking: Callable[[], str]) -> Finding:
    try:
        where = tracking()
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return Finding("tracking", "error", f"The tracking store cannot be used: {reason}")
    return Finding("tracking", "ok", f"The tracking store {where} answers.")
