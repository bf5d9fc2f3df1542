"""What a teacher says about every training target, laid out for instant lookup."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Lesson:
    """What the teacher says about the targets of one step.

    Attributes
    ----------
    items : int64 tensor, shape [n_targets, k]
        Best first; 0 where the list is shorter.
    logits : float tensor, shape [n_targets, k]
        Higher is better; -inf where the list is shorter.
    doubt : float tensor, shape [n_targets]
        How wrong the teacher is about the true item, in the unit of a distance or of a negative
        log-likelihood; 0 is certain.
    weights : float tensor, shape [n_targets]
        0 where the teacher says nothing or the row was not selected.
    """

    items: Tensor
    logits: Tensor
    doubt: Tensor
    weights: Tensor

    @property
    def listed(self) -> Tensor:
        """Where there is an item, shape [n_targets, k]."""
        return self.items > 0

    def probabilities(self, temperature: float, mass: Tensor | None = None) -> Tensor:
        """Softmax of the list at a temperature, shape [n_targets, k], summing to ``mass`` or 1.

        A target without a list gets zeros.
        """
        scaled = self.logits / temperature
        top = scaled.amax(1, keepdim=True)
        powers = (scaled - torch.where(top.isfinite(), top, 0.0)).exp()
        probabilities = powers / powers.sum(1, keepdim=True).clamp(min=torch.finfo(top.dtype).tiny)
        return probabilities if mass is None else probabilities * mass[:, None]


@dataclass(frozen=True)
class Lessons:
    """A teacher's lists for all training positions.

    Training position ``p`` of user row ``u`` is row ``offsets[u] + p`` of every array, so a lookup
    is an index. Rows without a lesson have no items and weight 0.

    Attributes
    ----------
    offsets : int64 tensor, shape [n_users + 1], the training sequences' own
    items : int32 tensor, shape [n_positions, k]
    logits : float tensor, shape [n_positions, k]
    doubt : float32 tensor, shape [n_positions]
    weights : float32 tensor, shape [n_positions]
    """

    offsets: Tensor
    items: Tensor
    logits: Tensor
    doubt: Tensor
    weights: Tensor

    @property
    def taught(self) -> Tensor:
        """Rows that have a list, bool, shape [n_positions]."""
        return self.items[:, 0] > 0

    def at(self, rows: Tensor, positions: Tensor) -> Lesson:
        """Return the lesson about these targets, on their device."""
        device = rows.device
        at = (self.offsets[rows.cpu()] + positions.cpu()).to(self.items.device)
        return Lesson(
            items=self.items[at].long().to(device),
            logits=self.logits[at].float().to(device),
            doubt=self.doubt[at].to(device),
            weights=self.weights[at].to(device),
        )

    def weighted(self, weights: Tensor) -> Lessons:
        """Return the same lessons under other row weights, still 0 where nothing is taught."""
        return replace(self, weights=weights * self.taught)
