"""A small step in float64."""

from dataclasses import dataclass

import pytest
import torch

from recdistill.lessons import Lesson
from tests.unit.lessons.conftest import lessons, walks  # noqa: F401


@dataclass
class Small:
    states: torch.Tensor  # [n, dim]
    table: torch.Tensor  # [n_items + 1, dim]
    targets: torch.Tensor  # [n]
    lesson: Lesson

    @property
    def n_items(self) -> int:
        return len(self.table) - 1

    def logits(self) -> torch.Tensor:
        return self.states @ self.table[1:].T


@pytest.fixture
def small() -> Small:
    return make_small()


def make_small(n: int = 13, n_items: int = 90, dim: int = 5, k: int = 4, seed: int = 0) -> Small:
    random = torch.Generator().manual_seed(seed)
    states = torch.randn(n, dim, generator=random, dtype=torch.float64, requires_grad=True)
    table = torch.randn(n_items + 1, dim, generator=random, dtype=torch.float64)
    table[0] = 0
    items = torch.stack([torch.randperm(n_items, generator=random)[:k] + 1 for _ in range(n)])
    logits = torch.randn(n, k, generator=random, dtype=torch.float64).sort(1, descending=True)[0]
    # Row 0 has no list at all, row 1 a short one.
    items[0], logits[0] = 0, -torch.inf
    items[1, 2:], logits[1, 2:] = 0, -torch.inf
    # Log-probabilities with a tenth to a half of the mass outside the list.
    logits = logits.log_softmax(1) + torch.empty(n, 1).uniform_(0.5, 0.9, generator=random).log()
    logits[0] = -torch.inf
    weights = torch.rand(n, generator=random, dtype=torch.float64)
    weights[0] = 0
    distance = torch.rand(n, generator=random, dtype=torch.float64) * 3
    targets = torch.randint(1, n_items + 1, (n,), generator=random)
    at = torch.arange(len(items))
    lesson = Lesson(items, logits, distance, weights, at, torch.ones_like(at))
    return Small(states, table.requires_grad_(), targets, lesson)
