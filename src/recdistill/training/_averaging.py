"""Exponential moving average of the weights."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn


class AveragedWeights:
    """A moving average of a model's parameters, swapped in for validation.

    Parameters
    ----------
    model : nn.Module
    decay : float
        Weight of the past per step. Early steps average over what there is: the decay starts low
        and grows as ``(1 + steps) / (10 + steps)`` until it reaches ``decay``.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self._live = list(model.parameters())
        self.weights = [p.detach().clone() for p in self._live]

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the current weights."""
        self.steps += 1
        decay = min(self.decay, self.steps / (9 + self.steps))
        torch._foreach_lerp_(self.weights, [p.detach() for p in self._live], 1 - decay)

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Put the average into the model for the time of a ``with`` block."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for live, mean in zip(self._live, self.weights, strict=True):
            live.data, mean.data = mean.data, live.data

    def state(self) -> dict[str, object]:
        """Return what `restore` needs."""
        return {"steps": self.steps, "weights": self.weights}

    def restore(self, steps: int, weights: list[Tensor]) -> None:
        """Take up the average where `state` left it."""
        self.steps = steps
        for mean, saved in zip(self.weights, weights, strict=True):
            mean.copy_(saved)
