"""What the published code of DLLM2Rec computes, to be compared with, not to be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from recdistill.distillation._dros import item_scales
from recdistill.distillation._ranking import position_weights
from recdistill.distillation._terms import Answer, Question, Term
from recdistill.distillation._unseen import UnseenItems

if TYPE_CHECKING:
    from torch import Tensor

    from recdistill.data import Sequences
    from recdistill.distillation._config import DROSConfig, RankingConfig
    from recdistill.lessons._lessons import Lesson


class ReferenceRanking(Term):
    """The ranking loss of DLLM2Rec's published code, which departs from the paper.

    - The negative term is ``log sigma(1 - s)`` where the paper has ``log(1 - sigma(s))``: the push
      is weaker and its optimum one logit higher.
    - Confidence is ``e^(-distance)`` of each listed item, normalised within the row, where the
      paper has one reliability per sequence; all weights are then renormalised to 1 per row, so
      an unreliable teacher is never trusted less. ``beta`` plays no part in either.
    - One negative per target, outside its history and not the target, is set against every listed
      item; it may be one of them.
    - Every listed item's loss has the DROS loss of that item beside it, ``dros`` times. The code
      multiplies weights of shape [n, 1] by losses of shape [n], by which every row's loss gets the
      batch's mean weight of that rank. Here it gets its own: the one thing not as published.
    - The sigmoid and the exponentials are taken before the logarithm, which overflows. Here: the
      same values, stable.

    Logits of the lesson are minus the distances.

    Parameters
    ----------
    config : RankingConfig
    dros : DROSConfig
    item_counts : int tensor, shape [n_items + 1]
        Training interactions per item id.
    sequences : Sequences
        The histories, for the negatives.
    """

    name = "ranking"

    def __init__(
        self, config: RankingConfig, dros: DROSConfig, item_counts: Tensor, sequences: Sequences
    ) -> None:
        self.config = config
        self.dense = config.dros > 0
        self.scale = item_scales(item_counts, dros)  # [n_items]
        self.unseen = UnseenItems(sequences, len(item_counts) - 1)

    def ask(self, lesson: Lesson, targets: Tensor, n_items: int) -> Question:
        """Ask for the teacher's list and, behind it, one negative."""
        config, listed = self.config, lesson.listed
        drawn = self.unseen.draw(lesson.rows, lesson.positions, targets)
        confidence = torch.softmax(lesson.logits, 1).nan_to_num(0.0)
        position = position_weights(listed.shape[1], 1.0).to(listed.device)
        fixed = (config.position * position + config.confidence * confidence) * listed
        items = torch.cat([lesson.items, drawn[:, None]], 1)
        return Question(items, (fixed, lesson.items), (lesson.weights > 0).float())

    def row_losses(self, answer: Answer, *given: Tensor) -> Tensor:
        """See ``Term``; ``given`` is fixed weights [n, k] and the list [n, k]."""
        fixed, items = given
        listed = items > 0
        k = listed.shape[1]
        teacher, negative = answer.scores[:, :k], answer.scores[:, k:]  # [n, k], [n, 1]
        agreed = (teacher.detach() >= answer.kth_best(k)).to(fixed) + 1e-8
        weights = fixed + self.config.consistency * agreed * listed
        weights = weights / weights.sum(1, keepdim=True).clamp(min=1e-30)
        losses = F.softplus(-teacher) + F.softplus(negative - 1)
        if self.dense:
            losses = losses + self.config.dros * self._dros(answer, teacher, items)
        return (weights * losses).sum(1)

    def _dros(self, answer: Answer, teacher: Tensor, items: Tensor) -> Tensor:
        """DROS with each listed item as the target in turn, shape [n, k]."""
        if answer.catalog is None:
            raise ValueError("DROS needs every item's score")
        scale = self.scale.to(answer.catalog)
        whole = (scale * answer.catalog**2).logsumexp(1, keepdim=True)  # [n, 1]
        own = scale[(items - 1).clamp(min=0)]  # [n, k]
        without = 1 - torch.exp(own * teacher**2 - whole)
        return whole + (without + torch.exp(own * (teacher - 1) ** 2 - whole)).clamp(1e-24).log()
