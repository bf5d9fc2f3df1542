"""Seconds and memory peaks of one phase of a run."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

MB = 1e6
_MODELS_WORK = ("fit", "weigh", "label")


@contextmanager
def measured(name: str, into: dict[str, float]) -> Iterator[None]:
    """Measure the block; on leaving, also by an exception, write its figures into ``into``.

    Writes ``time/<name>_seconds``, ``memory/<name>_peak_rss_mb``, of the phases in which models
    work (``fit``, ``weigh``, ``label``) ``cpu/<name>_seconds`` (of this process, all threads
    together: what it cost, whatever else the machine did) and, on a CUDA device,
    ``memory/<name>_peak_allocated_mb`` and ``memory/<name>_peak_reserved_mb``; one MB is 10^6
    bytes. The peaks are those of the block, not of the process: the counters are reset first,
    because a figure read after a step is the resident floor and hides the peak.
    """
    if cuda := _cuda():
        cuda.reset_peak_memory_stats()
    exact = _reset_peak_rss()
    before = _peak_rss()
    started, worked = time.perf_counter(), time.process_time()
    try:
        yield
    finally:
        into[f"time/{name}_seconds"] = round(time.perf_counter() - started, 3)
        if name in _MODELS_WORK:
            into[f"cpu/{name}_seconds"] = round(time.process_time() - worked, 3)
        peak = _peak_rss()
        # Without a reset the counter is the process's highest: this block's only if it rose.
        if not exact and peak == before:
            peak = psutil.Process().memory_info().rss
        into[f"memory/{name}_peak_rss_mb"] = round(peak / MB, 1)
        if cuda := _cuda():
            into[f"memory/{name}_peak_allocated_mb"] = round(cuda.max_memory_allocated() / MB, 1)
            into[f"memory/{name}_peak_reserved_mb"] = round(cuda.max_memory_reserved() / MB, 1)


def _cuda() -> Any:
    torch = sys.modules.get("torch")  # who has not imported it has nothing on a GPU
    return torch.cuda if torch and torch.cuda.is_available() else None


def _reset_peak_rss() -> bool:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _peak_rss() -> int:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return int(psutil.Process().memory_info().rss)
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
