"""DROS: robustness to a shift of item popularity between training and use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from recdistill.distillation._terms import Answer, Question, Term

if TYPE_CHECKING:
    from torch import Tensor

    from recdistill.distillation._config import DROSConfig
    from recdistill.lessons._lessons import Lesson


class DROS(Term):
    """Worst-case squared error over distributions near the training popularity.

    Yang et al., "A Generic Learning Framework for Sequential Recommendation with Distribution
    Shifts", SIGIR 2023, as DLLM2Rec adds it to its losses. With propensity ``u_i`` and score
    ``s_i``: ``log(sum_{i != t} e^(u_i s_i^2 / beta) + e^(u_t (s_t - 1)^2 / beta))``. It asks every
    score for 0 and the target's for 1, so it fights a softmax whose logits are free to grow.

    Written with a log-sum-exp where the published code exponentiates squares and stops on NaN.

    Parameters
    ----------
    config : DROSConfig
    item_counts : int tensor, shape [n_items + 1]
        Training interactions per item id.
    """

    name = "dros"
    dense = True

    def __init__(self, config: DROSConfig, item_counts: Tensor) -> None:
        self.scale = item_scales(item_counts, config)  # [n_items]

    def ask(self, lesson: Lesson, targets: Tensor, n_items: int) -> Question:
        """Ask for the target's score; needs no teacher, so every target counts."""
        return Question(targets[:, None], (targets,), torch.ones_like(lesson.weights))

    def row_losses(self, answer: Answer, *given: Tensor) -> Tensor:
        """See ``Term``; ``given`` is the targets [n]."""
        if answer.catalog is None:
            raise ValueError("DROS needs every item's score")
        column = (given[0] - 1)[:, None]
        scale = self.scale.to(answer.catalog)
        exponents = scale * answer.catalog**2  # [n, n_items]
        wanted = scale[given[0] - 1] * (answer.scores[:, 0] - 1) ** 2
        return torch.scatter(exponents, 1, column, wanted[:, None]).logsumexp(1)


def item_scales(item_counts: Tensor, config: DROSConfig) -> Tensor:
    """Return each item's propensity over ``beta``, float64, shape [n_items]."""
    smoothed = item_counts[1:].double() + 1
    return (smoothed / smoothed.sum()) ** config.power / config.beta
