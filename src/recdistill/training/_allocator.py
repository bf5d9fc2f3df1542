"""Keep the C allocator from handing every activation back to the kernel."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def keep_freed_memory() -> None:
    """Let glibc reuse freed blocks of up to a gigabyte instead of unmapping them.

    By default every tensor above a few hundred kilobytes is mapped and unmapped anew, and the page
    faults cost a CPU training step about as much as its element-wise arithmetic. Peak memory does
    not change: what is freed is reused, not kept beside. No effect outside glibc.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, 2**30)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
