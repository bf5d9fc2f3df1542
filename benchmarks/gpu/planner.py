"""The memory planner held against what a device's allocator says."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING, Any

from benchmarks.memory_grid import GRID, with_device
from benchmarks.memory_study import LLAMA
from recdistill.memory import free_bytes, measure, plan

if TYPE_CHECKING:
    import torch

    from recdistill.memory import MemorySettings


def grid_errors(
    device: torch.device, *, grid: list[dict[str, Any]] = GRID, seconds: float = 200.0
) -> dict[str, Any]:
    """Plan and measure the grid's settings, as many as the seconds allow."""
    until = time.perf_counter() + seconds
    rows: list[dict[str, Any]] = []
    for entry in grid:
        if rows and time.perf_counter() > until:
            break
        rows.append({"settings": entry} | _beside(with_device(entry, device.type)))
    errors = sorted(abs(row["error"]) for row in rows)
    return {
        "n_settings": len(rows),
        "n_left_out": len(grid) - len(rows),
        "median_error": errors[len(errors) // 2],
        "worst_error": errors[-1],
        "rows": rows,
    }


def llama(
    device: torch.device, *, settings: MemorySettings = LLAMA, batches: tuple[int, ...] = (8, 32)
) -> dict[str, Any]:
    """Measure a step of Llama-2-7B's shape, its weights drawn: nothing is downloaded."""
    found: dict[str, Any] = {}
    for batch in batches:
        here = settings.but(batch=batch, device=device.type)
        planned, free = plan(here).peak_bytes, free_bytes()
        if device.type == "cuda" and planned > free:
            found[str(batch)] = {"planned_bytes": planned, "free_bytes": free, "left_out": True}
            continue
        started = time.perf_counter()
        found[str(batch)] = _beside(here) | {"seconds": time.perf_counter() - started}
    return found


def _beside(settings: MemorySettings) -> dict[str, Any]:
    gc.collect()
    planned, measured = plan(settings).peak_bytes, measure(settings).peak_bytes
    return {
        "planned_bytes": planned,
        "measured_bytes": measured,
        "error": planned / measured - 1,
    }
