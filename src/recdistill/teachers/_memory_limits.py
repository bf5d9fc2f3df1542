"""How much memory a training may take: a setting, read without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from recdistill.memory import free_bytes, free_host_bytes

_MB = 1e6


@dataclass(frozen=True)
class MemoryLimits:
    """How much memory a training may take, and when to measure before it starts.

    Attributes
    ----------
    limit_mb : float
        In 10^6 bytes; 0: what is free now.
    probe : {"auto", "always", "never"}
        ``auto``: on a GPU always; on a CPU only where the plan's own error leaves it open.
    """

    limit_mb: float = 0.0
    probe: Literal["auto", "always", "never"] = "auto"

    def budget_bytes(self) -> int:
        """Bytes the training may take."""
        import torch

        on_gpu = torch.cuda.is_available()
        return int(self.limit_mb * _MB) or (free_bytes() if on_gpu else free_host_bytes())
