"""Where a teacher's training stands: step, averaged weights, best weights so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn


@dataclass
class Progress:
    """Saved with every checkpoint, so that a resumed training ends like an uninterrupted one.

    Attributes
    ----------
    step : int
        Optimiser steps taken.
    n_parts : int
        Pieces a step is cut into.
    checked : bool
        Whether every part has been seen to learn.
    best : dict
        Trainable weights of the best epoch so far (the average, where one is kept).
    average : dict
        Running average of the trainable weights.
    stalled : bool
        Whether the last epoch was the last that patience allowed.
    """

    step: int = 0
    n_parts: int = 1
    checked: bool = False
    best_epoch: int = -1
    best_metric: float = -1.0
    best: dict[str, torch.Tensor] = field(default_factory=dict)
    average: dict[str, torch.Tensor] = field(default_factory=dict)
    stalled: bool = False

    @torch.no_grad()
    def update_average(self, weights: Mapping[str, nn.Parameter], decay: float) -> None:
        """Move the average towards these weights; a decay of 0 keeps none."""
        if not decay:
            return
        # Early on a full-length average would still be mostly the initial weights.
        decay = min(decay, self.step / (self.step + 10))
        for name, p in weights.items():
            if name in self.average:
                self.average[name].lerp_(p.detach(), 1 - decay)
            else:
                self.average[name] = p.detach().clone()

    def keep_if_best(self, epoch: int, metric: float, weights: Mapping[str, torch.Tensor]) -> None:
        """Remember these weights if no epoch before had a better metric."""
        if metric > self.best_metric:
            self.best_metric, self.best_epoch = metric, epoch
            self.best = {name: t.detach().cpu().clone() for name, t in weights.items()}


@torch.no_grad()
def put(weights: Mapping[str, torch.Tensor], into: Mapping[str, nn.Parameter]) -> None:
    """Copy weights over parameters of the same names."""
    for name, p in into.items():
        p.copy_(weights[name])
