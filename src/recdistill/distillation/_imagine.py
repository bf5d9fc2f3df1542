"""Let a pool of teachers imagine how every user goes on, one item after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import torch

from recdistill.distillation._futures import Futures
from recdistill.distillation._log_linear_pool import LogLinearPool
from recdistill.distillation._stacking import comparable
from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import Tensor

    from recdistill.data import Sequences
    from recdistill.distillation._collect import Scored
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
    drawn_by: Recommender | None = None,
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
    drawn_by : Recommender, optional
        Draws in the teacher's place. Drawing asks once per item; a language model is asked in vain
        that often, since it can judge a whole continuation in one forward.
    report : callable, optional
        Receives how many of how many users are done, after each part of them.
    """
    n_users, k = len(train), config.top_k
    shape = (config.n_variants, n_users, config.length)
    items = torch.zeros(shape, dtype=torch.int32)
    lists = torch.zeros(*shape, k, dtype=torch.int32)
    logits = torch.full((*shape, k), -torch.inf, dtype=torch.float16)
    random = torch.Generator().manual_seed(seed)
    known = np.flatnonzero(train.lengths)
    for start in range(0, len(known), _USERS_AT_A_TIME):
        users = known[start : start + _USERS_AT_A_TIME]
        rows = train.take(users)
        first = _next(drawn_by or teacher, rows)  # the same for every variant
        for variant in range(config.n_variants):
            drawn, said = _continue(drawn_by or teacher, rows, first, config, random)
            if drawn_by is not None:
                said = _along(teacher, rows, drawn)
            best = said.topk(min(k, said.shape[2]), 2)  # [length, n_rows, k]
            at = (variant, torch.from_numpy(users), slice(None))
            width = best.indices.shape[2]
            listed = torch.where(best.values.isfinite(), best.indices, 0).int()
            items[at] = drawn.int()
            lists[(*at, slice(width))] = listed.transpose(0, 1)
            logits[(*at, slice(width))] = best.values.transpose(0, 1).half()
        if report:
            report(start + len(users), len(known))
    return Futures(items, lists, logits)


def _continue(
    drawer: Recommender,
    rows: Sequences,
    first: Tensor,
    config: ImagineConfig,
    random: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Draw one continuation: items [n_rows, length], and the scores [length, n_rows, n_items + 1].

    A row that has had the whole catalog goes on with its newest item.
    """
    drawn, said = [], []
    for place in range(config.length):
        scores = first if place == 0 else _next(drawer, rows)
        chances = torch.softmax(scores / config.temperature, 1).nan_to_num()
        newest = torch.from_numpy(rows.items[rows.offsets[1:] - 1]).long()
        chances[chances.sum(1) == 0, newest[chances.sum(1) == 0]] = 1.0
        item = torch.multinomial(chances, 1, generator=random)[:, 0]
        rows = rows.followed_by(item[:, None].numpy())
        drawn.append(item)
        said.append(scores)
    return torch.stack(drawn, 1), torch.stack(said)


def _next(teacher: Recommender, rows: Sequences) -> Tensor:
    """Return log-probabilities of what is next, without the rows' own, [n_rows, n_items + 1]."""
    return _hidden(teacher.score(rows).float().cpu(), rows).log_softmax(1)


def _along(teacher: Recommender, rows: Sequences, drawn: Tensor) -> Tensor:
    """Return log-probabilities at every place of continuations, [length, n_rows, n_items + 1]."""
    parts: list[tuple[Recommender, float]] = [(teacher, 1.0)]
    if isinstance(teacher, LogLinearPool):
        parts = list(zip(teacher.members, teacher.weights, strict=True))
    total = torch.zeros(())
    for member, weight in parts:
        if weight:
            scores = _scores_along(member, rows, drawn)
            total = total + weight * torch.stack([comparable(member, s) for s in scores])
    prefixes = [rows.followed_by(drawn[:, :place].numpy()) for place in range(drawn.shape[1])]
    return torch.stack([_hidden(s, p) for s, p in zip(total, prefixes, strict=True)]).log_softmax(2)


def _scores_along(member: Recommender, rows: Sequences, drawn: Tensor) -> Tensor:
    """Score every place of continuations, in one forward per row by whoever can."""
    if not isinstance(member, ScoresPositions):
        prefixes = [rows.followed_by(drawn[:, :place].numpy()) for place in range(drawn.shape[1])]
        return torch.stack([member.score(prefix).float().cpu() for prefix in prefixes])
    scores = torch.empty(0)
    for part in member.score_positions(rows.followed_by(drawn.numpy())):
        ahead = part.positions - rows.lengths[part.users]
        tail = ahead >= 0
        if not len(scores):
            scores = torch.full((drawn.shape[1], len(rows), part.scores.shape[1]), torch.nan)
        scores[ahead[tail], part.users[tail]] = part.scores[torch.from_numpy(tail)].float().cpu()
    return scores


def _hidden(scores: Tensor, rows: Sequences) -> Tensor:
    """Make the rows' own items impossible."""
    row, _ = rows.keys()
    scores[torch.from_numpy(row), torch.from_numpy(rows.items).long()] = -torch.inf
    return scores


@runtime_checkable
class ScoresPositions(Protocol):
    """A causal model that scores every position of a history in one forward."""

    def score_positions(self, train: Sequences) -> Iterable[Scored]:
        """Score every position but the first of every row, from the items before it."""
        ...
