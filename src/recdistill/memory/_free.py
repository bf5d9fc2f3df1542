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
    v1 = cgroup / "memory"
    for folder, limit, used, cached in (
        (cgroup, "memory.max", "memory.current", "inactive_file"),
        (v1, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            allowed = (folder / limit).read_text().strip()
            taken = int((folder / used).read_text())
            lines = (folder / "memory.stat").read_text().splitlines()
        except (OSError, ValueError):  # another version of cgroups, or none
            continue
        if allowed != "max":
            # What the kernel gives back as soon as it is needed does not count.
            reclaimed = int(dict(line.split() for line in lines).get(cached, 0))
            free = min(free, max(0, int(allowed) - taken + reclaimed))
    return free
