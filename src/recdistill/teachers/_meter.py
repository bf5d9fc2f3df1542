"""Speed and loss between two reports."""

from __future__ import annotations

import time

import torch


class Meter:
    """Speed and loss since the last report."""

    def __init__(self, every_seconds: float) -> None:
        self.every = every_seconds
        self.begin_epoch()

    def begin_epoch(self) -> None:
        """Forget everything."""
        self._epoch_loss, self._epoch_steps = 0.0, 0
        self._restart()

    def epoch_loss(self) -> float:
        """Mean loss of the epoch so far: by steps, where reports go by the clock."""
        return self._epoch_loss / self._epoch_steps

    def _restart(self) -> None:
        self.loss, self.n_steps, self.n_tokens, self.n_positions = 0.0, 0, 0, 0
        self.started = time.perf_counter()

    def add(self, loss: float, n_tokens: int, n_positions: int) -> bool:
        """Count a step and say whether a report is due."""
        self.loss += loss
        self.n_steps += 1
        self._epoch_loss += loss
        self._epoch_steps += 1
        self.n_tokens += n_tokens
        self.n_positions += n_positions
        return time.perf_counter() - self.started >= self.every

    def take(self, device: torch.device) -> dict[str, float]:
        """Return the figures and start anew."""
        seconds = time.perf_counter() - self.started
        figures = {
            "train/loss": self.loss / self.n_steps,
            "train/tokens_per_second": self.n_tokens / seconds,
            "train/positions_per_second": self.n_positions / seconds,
        }
        if device.type == "cuda":
            figures["train/peak_allocated_mb"] = torch.cuda.max_memory_allocated(device) / 1e6
        self._restart()
        return figures
