"""Weights of several teachers by the likelihood of targets that none of them has seen."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from recdistill.errors import UserError
from recdistill.floors import REGRESSIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from recdistill.evaluation import PositionScores, Recommender

_SMALLEST_VOTE = 1e-7
_STEPS, _STEPS_FROM_A_START = 50, 10


def standardised(scores: torch.Tensor) -> torch.Tensor:
    """Bring every row of scores to mean 0 and deviation 1 over the items.

    A sum of raw scores would follow whoever writes the largest numbers.

    Parameters
    ----------
    scores : float tensor, shape [n, n_items + 1], column 0 -inf

    Returns
    -------
    float tensor of the same shape, column 0 -inf; a row of equal scores becomes zeros
    """
    told = scores.clone()
    _standardise(told[:, 1:])
    told[:, 0] = -torch.inf
    return told


def comparable(model: Recommender, scores: torch.Tensor, *, in_place: bool = False) -> torch.Tensor:
    """Turn a member's scores into terms of a log-linear pool.

    Votes that were counted become their logarithm, a regression's are standardised row by row, and
    a network's logits are what they are; only their mean is taken out.

    Parameters
    ----------
    model : Recommender
        A floor says by its ``kind`` what its scores are.
    scores : float tensor, shape [n, n_items + 1]
    in_place : bool
        Whether the scores may be changed: with many positions, copies take most of the time.

    Returns
    -------
    float tensor of the same shape, column 0 -inf
    """
    kind = getattr(model, "kind", "")
    told = scores if in_place else scores.clone()
    items = told[:, 1:]
    if kind in REGRESSIONS:
        _standardise(items)
    else:
        if kind:
            items.clamp_(min=_SMALLEST_VOTE).log_()
        items -= items.mean(1, keepdim=True)
    told[:, 0] = -torch.inf
    return told


def _standardise(items: torch.Tensor) -> None:
    items -= items.mean(1, keepdim=True)
    deviation = torch.linalg.vector_norm(items, dim=1, keepdim=True) / items.shape[1] ** 0.5
    items /= deviation.clamp(min=1e-12)


def comparable_positions(
    model: Recommender, parts: Iterable[PositionScores]
) -> Iterator[PositionScores]:
    """Turn a model's scores at positions, or those of its refits, into terms of a pool."""
    for part in parts:
        yield replace(part, scores=comparable(model, part.scores.float()))


def stack(
    members: Sequence[torch.Tensor],
    targets: torch.Tensor,
    hidden: torch.Tensor,
    *,
    start: Sequence[float] | None = None,
) -> tuple[tuple[float, ...], float]:
    """Weigh members so that the softmax of their weighted sum makes the targets most likely.

    A log-linear opinion pool (Genest and Zidek 1986) fitted on held-out cases, as in stacking
    (Wolpert 1992). The problem is convex, and thousands of training positions of users the members
    never saw say more about the weights than one validation target per user. The sum is a logit
    already: it needs no temperature of its own.

    Parameters
    ----------
    members : float tensors, each [n, n_items + 1], column 0 -inf; see ``comparable``
    targets : int64 tensor, shape [n]
    hidden : bool tensor, shape [n, n_items + 1]
        Items that cannot be next, such as those already seen. Cases whose target is hidden are
        left out.
    start : one weight per member, optional
        Weights found for much the same question: from there a few steps are enough.

    Returns
    -------
    weights : one per member, none negative
    loss : float
        Mean negative log-likelihood, in nats.

    Raises
    ------
    UserError
        When no target is left.
    """
    kept = ~hidden.gather(1, targets[:, None])[:, 0]
    if not kept.any():
        raise UserError("No target is left to weigh teachers by: all are hidden by the histories.")
    terms = torch.stack([m[kept, 1:].float() for m in members])  # [members, n, n_items]
    closed, wanted = hidden[kept, 1:], targets[kept] - 1
    begin = [1 / len(members)] * len(members) if start is None else list(start)
    weights = torch.tensor(begin, requires_grad=True)
    n_steps = _STEPS if start is None else _STEPS_FROM_A_START
    search = torch.optim.LBFGS([weights], max_iter=n_steps, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        logits = torch.einsum("m,mni->ni", weights.clamp(min=0), terms)
        return F.cross_entropy(logits.masked_fill(closed, -torch.inf), wanted)

    def closure() -> float:
        search.zero_grad()
        value = loss()
        value.backward()  # type: ignore[no-untyped-call]
        return float(value.detach())

    search.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        final = float(loss())
    return tuple(weights.detach().clamp(min=0).tolist()), final
