"""Seconds and bytes of a piece of work on a device."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
PRECISIONS = tuple(DTYPES)


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return mixed precision as training enters it; none in ``fp32``."""
    half = precision != "fp32"
    # Of a device that knows no autocast nothing may be asked, not even that it be off.
    known = device.type if device.type in ("cuda", "cpu") else "cpu"
    return torch.autocast(known, DTYPES[precision] if half else torch.bfloat16, enabled=half)


def wait(device: torch.device) -> None:
    """Let the device finish what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def timed(work: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Return the middle one of some runs' seconds, after one that does not count."""
    seconds = []
    for _ in range(repeats + 1):
        wait(device)
        started = time.perf_counter()
        work()
        wait(device)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])


def peak_bytes(work: Callable[[], object], device: torch.device) -> int:
    """Return the allocator's highest moment during a piece of work; 0 but on CUDA."""
    if device.type != "cuda":
        work()
        return 0
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    work()
    wait(device)
    return torch.cuda.max_memory_allocated(device)
