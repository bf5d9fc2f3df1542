"""Listwise distillation: the student's distribution against the teacher's top list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from recdistill.distillation._terms import Answer, Question, Term

if TYPE_CHECKING:
    from torch import Tensor

    from recdistill.distillation._config import ListwiseConfig
    from recdistill.lessons._lessons import Lesson


class Listwise(Term):
    """Kullback-Leibler divergence from the teacher's list to the student, the tail being one item.

    With ``p`` the teacher's and ``q`` the student's probabilities at temperature ``T`` and the tail
    ``p_0 = 1 - sum_k p_k``, ``q_0 = 1 - sum_k q_k`` over the listed items ``k``:
    ``T^2 [sum_k p_k log(p_k / q_k) + p_0 log(p_0 / q_0)]``. The student's normaliser runs over the
    whole catalog, so it also learns how much the list as a whole deserves.

    Parameters
    ----------
    config : ListwiseConfig
    """

    name = "listwise"

    def __init__(self, config: ListwiseConfig) -> None:
        self.temperature: float = config.temperature
        self.tail = config.tail

    def ask(self, lesson: Lesson, targets: Tensor, n_items: int) -> Question:
        """Ask for the scores of the teacher's list."""
        if self.tail == "bucket":
            whole = lesson.with_tail(self.temperature, n_items)
            given = (whole[:, :-1], whole[:, -1])
        else:
            listed = lesson.probabilities(self.temperature)
            given = (listed, torch.zeros_like(listed[:, 0]))
        return Question(lesson.items, given, lesson.weights)

    def row_losses(self, answer: Answer, *given: Tensor) -> Tensor:
        """See ``Term``; ``given`` is the teacher's probabilities [n, k] and its tail's [n]."""
        probabilities, tail = given
        log_q = answer.scores / self.temperature - answer.normaliser[:, None]  # [n, k]
        losses = (torch.xlogy(probabilities, probabilities) - probabilities * log_q).sum(1)
        if self.tail == "bucket":
            # Items absent from a short list are answered with some number; keep them out.
            listed = log_q.masked_fill(probabilities == 0, -torch.inf).logsumexp(1)
            losses = losses + torch.xlogy(tail, tail) - tail * _log1mexp(listed)
        return self.temperature**2 * losses


def _log1mexp(x: Tensor) -> Tensor:
    """``log(1 - exp(x))`` for ``x <= 0``; bounded where the list has all the mass there is."""
    x = x.clamp(max=-4 * torch.finfo(x.dtype).eps)
    return torch.where(x > -0.6931, torch.log(-torch.expm1(x)), torch.log1p(-torch.exp(x)))
