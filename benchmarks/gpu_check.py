"""Measure in under ten minutes what only a GPU can show, and keep it.

    python -m benchmarks.gpu_check      # or: make gpu-check

Students' and teachers' steps in three precisions, the passes with gradients of their own, the
memory planner beside the allocator, checkpointing, a training that runs out of memory, Llama-2-7B's
shape, export. Each result is written as soon as it is there, to
``benchmarks/results/gpu/DEVICE-DATE.json``; a check that fails says so in its place and stops no
other. ``python -m benchmarks.tables`` then writes the newest file's table into docs/benchmarks.md.
Without a GPU it ends with exit code 2; the same code runs small on a CPU in the tests.
"""

from __future__ import annotations

import json
import platform
import re
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from benchmarks.gpu.clock import PRECISIONS
from benchmarks.gpu.planner import grid_errors, llama
from benchmarks.gpu.students import fused_passes, student_steps, whole_fit
from benchmarks.gpu.teachers import back_off, export_speed, teacher_steps
from benchmarks.pages import Block, table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FOLDER = Path(__file__).parent / "results" / "gpu"
SECONDS = 600.0
NO_GPU = (
    "gpu-check measures on a GPU, and PyTorch sees no CUDA device: run it where there is one "
    "(`recdistill doctor` says what PyTorch sees)."
)

# The short ones first; the grid takes what time is left.
CHECKS: dict[str, Any] = {
    "fused passes": lambda device: {p: fused_passes(device, p) for p in PRECISIONS},
    "students": student_steps,
    "a student's fit": whole_fit,
    "teacher": teacher_steps,
    "export": export_speed,
    "out of memory": back_off,
    "llama-2-7b": llama,
    "planner": grid_errors,
}


def run(
    checks: Mapping[str, Callable[[torch.device], dict[str, Any]]],
    device: torch.device,
    path: Path,
    facts: Mapping[str, Any],
    seconds: float = SECONDS,
) -> dict[str, Any]:
    """Run checks one after the other and write the file anew after each.

    One that would begin after ``seconds`` is left out and named.
    """
    began = time.perf_counter()
    report: dict[str, Any] = {**facts, "left_out": [], "failed": {}, "checks": {}}
    path.parent.mkdir(parents=True, exist_ok=True)
    for name, check in checks.items():
        started = time.perf_counter()
        if started - began > seconds:
            report["left_out"].append(name)
            print(f"{name}: left out, the time is up", flush=True)
        else:
            try:
                found = check(device)
            except Exception as error:  # whatever it is, the other figures count
                traceback.print_exc()
                report["failed"][name] = f"{type(error).__name__}: {error}".splitlines()[0]
            else:
                report["checks"][name] = found
            print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)
        report["seconds"] = round(time.perf_counter() - began, 1)
        path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report


def facts_of(device: torch.device) -> dict[str, Any]:
    """Say what was measured on."""
    found: dict[str, str | int | None] = {
        "device": platform.machine() + " CPU",
        "date": datetime.now(UTC).date().isoformat(),
        "torch": torch.__version__,
    }
    if device.type == "cuda":
        about = torch.cuda.get_device_properties(device)
        found |= {
            "device": about.name,
            "capability": f"{about.major}.{about.minor}",
            "memory_bytes": about.total_memory,
            "cuda": torch.version.cuda,
        }
    return found


def blocks() -> list[Block]:
    """Make the GPU's part of docs/benchmarks.md from the newest file."""
    files = sorted(FOLDER.glob("*.json"), key=lambda path: path.stem[-10:])
    text = page(json.loads(files[-1].read_text(encoding="utf-8"))) if files else _NOT_YET
    return [Block("docs/benchmarks.md", "gpu", text)]


_NOT_YET = "Not measured yet: nobody has run `make gpu-check` on a GPU and committed what it wrote."


def page(report: dict[str, Any]) -> str:
    """Write a report's table."""
    checks = report["checks"]
    rows = [
        [f"step of {name}", f"{f['targets_per_second']:,.0f} targets a second", _gb(f)]
        for name, f in checks.get("students", {}).items()
    ]
    rows += [
        [f"teacher's step, {name}", f"{f['tokens_per_second']:,.0f} tokens a second", _gb(f)]
        for name, f in checks.get("teacher", {}).items()
    ]
    for precision, passes in checks.get("fused passes", {}).items():
        worst = max(f["gradient_error"] for f in passes.values())
        rows.append([f"fused passes in {precision}", f"gradients off by {worst:.1e}", ""])
    if fit := checks.get("a student's fit"):
        rate = f"{fit['targets_per_second']:,.0f} targets a second"
        rows.append(["a student's whole fit", rate, ""])
        rate = f"{fit['users_evaluated_per_second']:,.0f} users a second"
        rows.append(["its evaluation", rate, ""])
    if export := checks.get("export"):
        rate = f"{export['positions_per_second']:,.0f} positions a second"
        rows.append(["a teacher's export", rate, ""])
    if memory := checks.get("out of memory"):
        rows.append(["a training in half the memory", f"ended in {memory['n_pieces']} pieces", ""])
    for batch, f in checks.get("llama-2-7b", {}).items():
        said = "left out: too large" if "left_out" in f else f"planned {f['error']:+.1%} off"
        peak = f"{f['measured_bytes'] / 1e9:.1f} GB" if "measured_bytes" in f else ""
        rows.append([f"Llama-2-7B's shape, batch {batch}", said, peak])
    if grid := checks.get("planner"):
        said = f"off by {grid['median_error']:.1%} in the middle, {grid['worst_error']:.1%} at most"
        rows.append([f"planner on {grid['n_settings']} settings", said, ""])
    rows += [[name, f"failed: {why}", ""] for name, why in report["failed"].items()]
    rows += [[name, "left out for want of time", ""] for name in report["left_out"]]
    where = f"{report['device']}, {report['date']}, torch {report['torch']}:"
    return f"{where}\n\n{table(['', 'found', 'peak memory'], rows)}"


def _gb(found: dict[str, Any]) -> str:
    return f"{found['peak_bytes'] / 1e9:.2f} GB"


def main() -> int:
    """Measure, or say that there is nothing to measure on."""
    if not torch.cuda.is_available():
        print(NO_GPU, file=sys.stderr)
        return 2
    device = torch.device("cuda")
    facts = facts_of(device)
    slug = re.sub(r"[^a-z0-9]+", "-", facts["device"].lower()).strip("-")
    path = FOLDER / f"{slug}-{facts['date']}.json"
    report = run(CHECKS, device, path, facts)
    print(f"wrote {path}; commit it, and `make tables` puts it into docs/benchmarks.md")
    return 1 if report["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
