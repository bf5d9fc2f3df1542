"""What a teacher says about every training target, laid out for instant lookup."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from torch import Tensor

    from recdistill.data import Sequences


@dataclass(frozen=True)
class Lesson:
    """What the teacher says about the targets of one step.

    Attributes
    ----------
    items : int64 tensor, shape [n_targets, k]
        Best first; 0 where the list is shorter.
    logits : float tensor, shape [n_targets, k]
        Log-probabilities over the whole catalog at temperature 1, so what their exponentials lack
        to one is the teacher's mass outside its list; -inf where the list is shorter.
    doubt : float tensor, shape [n_targets]
        How far the true item lies behind the teacher's best: 0 where the teacher is right, else a
        difference of logits, or a distance for a table of distances.
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

    def probabilities(self, temperature: float) -> Tensor:
        """Return the list's softmax at a temperature, renormalised to it, shape [n_targets, k].

        A target without a list gets zeros.
        """
        return torch.softmax(self.logits / temperature, 1).nan_to_num(0.0)

    def with_tail(self, temperature: float, n_items: int) -> Tensor:
        """Return the list's probabilities and behind them the tail's, shape [n_targets, k + 1].

        At another temperature than 1 a list cannot say how its tail spreads; the tail is then
        taken as flat, ``m`` items of ``mass / m`` each.
        """
        n_listed = self.listed.sum(1)
        n_outside = (n_items - n_listed).clamp(min=1)
        mass = (1 - self.logits.exp().sum(1)).clamp(min=1e-6)
        tail = n_outside.log() + (mass.log() - n_outside.log()) / temperature
        whole = torch.cat([self.logits / temperature, tail[:, None]], 1)
        return torch.softmax(whole, 1) * (n_listed > 0)[:, None]


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

    @classmethod
    def none(cls, train: Sequences) -> Lessons:
        """Say nothing about any training position."""
        n = len(train.items)
        nothing = torch.zeros(n, 1)
        silence = torch.full((n, 1), -torch.inf)
        offsets = torch.from_numpy(train.offsets)
        return cls(offsets, nothing.int(), silence, nothing[:, 0], nothing[:, 0])

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


def shuffled(lessons: Lessons, seed: int) -> Lessons:
    """Return the lessons dealt out to other positions at random."""
    taught = lessons.taught.nonzero()[:, 0]
    order = taught[torch.from_numpy(np.random.default_rng(seed).permutation(len(taught)))]
    items, logits, doubt = lessons.items.clone(), lessons.logits.clone(), lessons.doubt.clone()
    items[taught], logits[taught] = lessons.items[order], lessons.logits[order]
    doubt[taught] = lessons.doubt[order]
    return replace(lessons, items=items, logits=logits, doubt=doubt)
