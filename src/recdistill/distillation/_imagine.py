"""Let a pool of teachers imagine how every user goes on, one item after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from recdistill.distillation._futures import Futures
from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from recdistill.data import Sequences
    from recdistill.evaluation import Recommender

_USERS_AT_A_TIME = 512


@dataclass(frozen=True)
class ImagineConfig:
    """How much is imagined.

    Attributes
    ----------
    n_variants : int
        Different futures per user; training takes another one every epoch.
    length : int
        Imagined targets per user and variant; each costs a training step as much as a real one.
    top_k : int
        Items kept of every list.
    temperature : float
        Of the draw; the lists are what the teacher says at 1.
    """

    n_variants: int = 16
    length: int = 11
    top_k: int = 20
    temperature: float = 1.0

    def __post_init__(self) -> None:
        for name in ("n_variants", "length", "top_k"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if self.temperature <= 0:
            raise UserError(f"temperature is {self.temperature}; it must be positive.")


@torch.no_grad()
def imagine(
    teacher: Recommender,
    train: Sequences,
    config: ImagineConfig,
    *,
    seed: int,
    report: Callable[[int, int], None] | None = None,
) -> Futures:
    """Draw continuations of every user's training items, and keep the teacher's list at each place.

    The user's items and those imagined before are left out of the draw and of the lists, as they
    are when serving.

    Parameters
    ----------
    teacher : Recommender
        Its scores are logits: see ``LogLinearPool``.
    train : Sequences
        Empty rows get zeros.
    config : ImagineConfig
    seed : int
    report : callable, optional
        Receives how many of how many scorings of all users are done.
    """
    n_users, k = len(train), config.top_k
    shape = (config.n_variants, n_users, config.length)
    items = torch.zeros(shape, dtype=torch.int32)
    lists = torch.zeros(*shape, k, dtype=torch.int32)
    logits = torch.full((*shape, k), -torch.inf, dtype=torch.float16)
    random = torch.Generator().manual_seed(seed)
    users = np.flatnonzero(train.lengths)
    first = _log_probabilities(teacher, train.take(users)) if len(users) else None
    n_done = 0
    for variant in range(config.n_variants):
        rows = train.take(users)
        for place in range(config.length):
            if first is None:
                break
            # Every variant starts from the same histories.
            said = first if place == 0 else _log_probabilities(teacher, rows)
            best = said.topk(min(k, said.shape[1] - 1), 1)
            width = best.indices.shape[1]
            listed = best.values.isfinite()
            lists[variant, users, place, :width] = torch.where(listed, best.indices, 0).int()
            logits[variant, users, place, :width] = best.values.half()
            chances = torch.softmax(said / config.temperature, 1)
            drawn = torch.multinomial(chances, 1, generator=random)[:, 0]
            items[variant, users, place] = drawn.int()
            rows = rows.followed_by(drawn[:, None].numpy())
            n_done += 1
            if report:
                report(n_done, config.n_variants * config.length)
    return Futures(items, lists, logits)


def _log_probabilities(teacher: Recommender, rows: Sequences) -> torch.Tensor:
    """Return what is next by the teacher, the rows' own items excluded, [n_rows, n_items + 1]."""
    parts = []
    for start in range(0, len(rows), _USERS_AT_A_TIME):
        part = rows.take(np.arange(start, min(start + _USERS_AT_A_TIME, len(rows))))
        scores = teacher.score(part).float().cpu()
        row, _ = part.keys()
        scores[torch.from_numpy(row), torch.from_numpy(part.items).long()] = -torch.inf
        parts.append(scores.log_softmax(1))
    return torch.cat(parts)
