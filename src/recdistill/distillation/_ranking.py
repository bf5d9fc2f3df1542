"""Importance-aware ranking distillation (DLLM2Rec; Cui et al., RecSys 2024, arXiv 2405.00338)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from recdistill.distillation._terms import Answer, Question, Term

if TYPE_CHECKING:
    from torch import Tensor

    from recdistill.distillation._config import RankingConfig
    from recdistill.lessons._lessons import Lesson

_ASK_EVERY = 4


class Ranking(Term):
    """The teacher's items up, drawn items down, each pair as important as the paper says.

    ``sum_k w_k [-log sigma(s_k) - mean_j log sigma(-s_j)]`` over the listed items ``k`` and drawn
    negatives ``j``, with ``w_k = position * e^(-rank_k / beta)`` normalised over the list
    ``+ confidence * e^(-distance / beta) / mean`` and
    ``+ consistency * [k in the student's own top list]``.

    The confidence is one number per target: how far off the teacher was about the true item, as a
    distance (an imported DLLM2Rec table) or as the negative log-likelihood the teacher gave it (a
    table of logits). It is divided by its mean over all lessons, so that it moves weight between
    targets without changing how much there is. A negative that is the target or listed is left
    out.

    Parameters
    ----------
    config : RankingConfig
    mean_confidence : float
        Mean of ``e^(-distance / beta)`` over the training targets that have a list.
    """

    name = "ranking"

    def __init__(self, config: RankingConfig, mean_confidence: float = 1.0) -> None:
        self.config, self.mean_confidence = config, mean_confidence

    def ask(self, lesson: Lesson, targets: Tensor, n_items: int) -> Question:
        """Ask for the teacher's list and, behind it, the drawn negatives."""
        config, listed = self.config, lesson.listed
        n, k = listed.shape
        drawn = torch.randint(1, n_items + 1, (n, config.n_negatives), device=listed.device)
        clash = (drawn == targets[:, None]) | (drawn[:, :, None] == lesson.items[:, None]).any(2)
        kept = (~clash).float()
        shares = kept / kept.sum(1, keepdim=True).clamp(min=1)  # [n, n_negatives]
        confidence = torch.exp(-lesson.distance / config.beta) / self.mean_confidence
        fixed = (
            config.position * position_weights(k, config.beta).to(listed.device)
            + config.confidence * confidence[:, None]
        ) * listed  # [n, k]
        items = torch.cat([lesson.items, drawn], 1)
        return Question(items, (fixed, listed, shares), lesson.weights)

    def row_losses(self, answer: Answer, *given: Tensor) -> Tensor:
        """See ``Term``; ``given`` is fixed weights [n, k], listed [n, k], negatives' shares."""
        fixed, listed, shares = given
        k = listed.shape[1]
        teacher, drawn = answer.scores[:, :k], answer.scores[:, k:]
        weights = fixed
        if self.config.consistency:
            # Finding the student's own best items costs as much as the loss itself, so a quarter
            # of the rows is asked, and counts four times.
            rows = slice(int(torch.randint(_ASK_EVERY, ())), None, _ASK_EVERY)
            agreed = (teacher.detach()[rows] >= answer.kth_best(k, rows)) & listed[rows]
            weights = weights.clone()
            weights[rows] += _ASK_EVERY * self.config.consistency * agreed
        # softplus(-s) = -log sigma(s), softplus(s) = -log sigma(-s): stable at any score.
        up = (weights * F.softplus(-teacher)).sum(1)
        return up + weights.sum(1) * (shares * F.softplus(drawn)).sum(1)


def position_weights(k: int, beta: float) -> Tensor:
    """``e^(-rank / beta)`` for ranks 1..k, summing to 1, shape [k].

    Examples
    --------
    >>> [round(w, 3) for w in position_weights(10, 1.0)[:3].tolist()]
    [0.632, 0.233, 0.086]
    """
    return torch.softmax(-torch.arange(1, k + 1) / beta, 0)
