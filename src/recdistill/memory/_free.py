"""How much memory there is for a training."""

from __future__ import annotations

from pathlib import Path

import psutil

_CGROUP = Path("/sys/fs/cgroup")


def free_bytes(gpu_gb: float = 0.0) -> int:
    """Bytes of the GPU meant: ``gpu_gb`` (10^9 bytes) if given, else what is free on this one.

    Returns 0 when neither is there.
    """
    import torch

    if gpu_gb > 0:
        return int(gpu_gb * 10**9)
    if torch.cuda.is_available():
        free, _ = torch.cuda.mem_get_info()
        return int(free)
    return 0


def free_host_bytes(cgroup: Path = _CGROUP) -> int:
    """Bytes of main memory this process may still take, a container's limit included."""
    free = int(psutil.virtual_memory().available)
    try:
        limit = (cgroup / "memory.max").read_text().strip()
        used = int((cgroup / "memory.current").read_text())
        cached = dict(
            line.split() for line in (cgroup / "memory.stat").read_text().splitlines()
        )  # what the kernel gives back when it is needed
    except (OSError, ValueError):  # no cgroup v2
        return free
    if limit == "max":
        return free
    return max(0, min(free, int(limit) - used + int(cached.get("inactive_file", 0))))
