"""What a teacher says about every training target, laid out for instant lookup."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
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
    distance : float tensor, shape [n_targets]
        How far the true item lies behind the teacher's best: 0 where the teacher is right, else a
        difference of logits, or a distance for a table of distances.
    weights : float tensor, shape [n_targets]
        0 where the teacher says nothing or the row was not selected.
    rows, positions : int64 tensors, shape [n_targets]
        Where the targets stand in the lessons' sequences.
    """

    items: Tensor
    logits: Tensor
    distance: Tensor
    weights: Tensor
    rows: Tensor
    positions: Tensor

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
    """Sequences to train on, and a teacher's list for every position of them.

    Position ``p`` of sequence ``u`` is row ``sequences.offsets[u] + p`` of every tensor, so a
    lookup is an index. Rows without a lesson have no items and weight 0.

    Attributes
    ----------
    sequences : Sequences
        The training histories, or views of them; their own next items are the targets.
    items : int32 tensor, shape [n_positions, k]
    logits : float tensor, shape [n_positions, k]
    distance : float32 tensor, shape [n_positions]
    weights : float32 tensor, shape [n_positions]
    """

    sequences: Sequences
    items: Tensor
    logits: Tensor
    distance: Tensor
    weights: Tensor

    @classmethod
    def none(cls, train: Sequences) -> Lessons:
        """Return lessons without a list at any training position."""
        n = len(train.items)
        nothing = torch.zeros(n, 1)
        silence = torch.full((n, 1), -torch.inf)
        return cls(train, nothing.int(), silence, nothing[:, 0], nothing[:, 0])

    @cached_property
    def offsets(self) -> Tensor:
        """First row of each sequence and the end, int64, shape [n_sequences + 1]."""
        return torch.from_numpy(self.sequences.offsets)

    @property
    def n_targets(self) -> int:
        """Positions that a student is trained to predict: all but each sequence's first."""
        return int((self.sequences.lengths - 1).clip(min=0).sum())

    @property
    def n_covered(self) -> int:
        """Positions that have a list; a student learns the others without a teacher."""
        return int(self.covered.sum())

    @property
    def coverage(self) -> float:
        """Share of the targets that have a list."""
        return self.n_covered / max(1, self.n_targets)

    @property
    def covered(self) -> Tensor:
        """Rows that have a list, bool, shape [n_positions]."""
        return self.items[:, 0] > 0

    def at(self, rows: Tensor, positions: Tensor) -> Lesson:
        """Return the lesson about these targets, on their device."""
        device = rows.device
        at = (self.offsets[rows.cpu()] + positions.cpu()).to(self.items.device)
        return Lesson(
            items=self.items[at].long().to(device),
            logits=self.logits[at].float().to(device),
            distance=self.distance[at].to(device),
            weights=self.weights[at].to(device),
            rows=rows,
            positions=positions,
        )

    def weighted(self, weights: Tensor) -> Lessons:
        """Return the same lessons under other row weights, still 0 where there is no list."""
        return replace(self, weights=weights * self.covered)

    def followed_by(self, later: Lessons) -> Lessons:
        """Return these lessons and behind them ``later``'s, with lists as long as the shorter's."""
        k = min(self.items.shape[1], later.items.shape[1])
        one, two = self.shortened(k), later.shortened(k)
        return Lessons(
            one.sequences.followed_by(two.sequences),
            torch.cat([one.items, two.items]),
            torch.cat([one.logits.to(two.logits), two.logits]),
            torch.cat([one.distance, two.distance]),
            torch.cat([one.weights, two.weights]),
        )

    def shortened(self, k: int) -> Lessons:
        """Return the same with the best ``k`` items of every list."""
        return replace(self, items=self.items[:, :k], logits=self.logits[:, :k])

    def about(self, first: Sequences) -> Lessons:
        """Return the lessons about the first sequences, where these are ``first``, alone; or all.

        A transfer set begins with the histories, unless it goes on from an older one.
        """
        n = len(first.items)
        if not np.array_equal(self.sequences.items[:n], first.items):
            return self
        return Lessons(first, self.items[:n], self.logits[:n], self.distance[:n], self.weights[:n])


def shuffled(lessons: Lessons, seed: int) -> Lessons:
    """Return the lessons dealt out to other positions at random."""
    covered = lessons.covered.nonzero()[:, 0]
    order = covered[torch.from_numpy(np.random.default_rng(seed).permutation(len(covered)))]
    items, logits, distance = (
        lessons.items.clone(),
        lessons.logits.clone(),
        lessons.distance.clone(),
    )
    items[covered], logits[covered] = lessons.items[order], lessons.logits[order]
    distance[covered] = lessons.distance[order]
    return replace(lessons, items=items, logits=logits, distance=distance)
