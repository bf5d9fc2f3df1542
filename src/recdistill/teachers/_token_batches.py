"""Batches of similar length within a budget of tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from torch.utils.data import Sampler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray


def token_batches(
    n_tokens: NDArray[np.int64], budget: int, generator: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Group indices so that a batch, padded to its longest member, stays within the budget.

    Members of a batch have similar lengths and batches come in random order, except that the
    largest comes first: a batch that does not fit the memory shows itself at the first step.

    Parameters
    ----------
    n_tokens : int64 array, shape [n]
    budget : int
        Padded tokens per batch; a single longer member still makes a batch.

    Returns
    -------
    list of int64 arrays that together hold every index once
    """
    order = generator.permutation(len(n_tokens))
    order = order[np.argsort(-n_tokens[order], kind="stable")]
    batches = []
    start = 0
    while start < len(order):
        size = max(int(budget // max(n_tokens[order[start]], 1)), 1)
        batches.append(order[start : start + size])
        start += size
    if not batches:
        return []
    largest = int(np.argmax([len(b) * n_tokens[b[0]] for b in batches]))
    rest = [b for i, b in enumerate(batches) if i != largest]
    return [batches[largest], *(rest[i] for i in generator.permutation(len(rest)))]


def batch_shapes(n_tokens: NDArray[np.int64], budget: int) -> list[tuple[int, int]]:
    """Rows and padded length of every batch; the same whatever the draw."""
    batches = token_batches(n_tokens, budget, np.random.default_rng(0))
    return [(len(batch), int(n_tokens[batch].max())) for batch in batches]


class TokenSampler(Sampler[Any]):
    """Token-budget batches of one epoch, drawn from seed and epoch alone.

    Parameters
    ----------
    n_tokens : int64 array, shape [n_windows]
    budget : int
    seed : int
    epoch : callable
        Asked when the first batch is. After a resume Lightning makes the iterator before it knows
        the epoch, so what is drawn there and then would be epoch 0 again.
    """

    def __init__(
        self, n_tokens: NDArray[np.int64], budget: int, seed: int, epoch: Callable[[], int]
    ) -> None:
        self.n_tokens, self.budget, self.seed, self.epoch = n_tokens, budget, seed, epoch

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        generator = np.random.default_rng((self.seed, self.epoch()))
        yield from token_batches(self.n_tokens, self.budget, generator)

    def __len__(self) -> int:
        # Grouping by size gives the same number of batches whatever the draw.
        return len(token_batches(self.n_tokens, self.budget, np.random.default_rng(0)))
