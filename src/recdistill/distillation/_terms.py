"""What a distillation term is: a question about the student's scores, and a loss on the answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recdistill.lessons import best_items

if TYPE_CHECKING:
    from torch import Tensor

    from recdistill.lessons._lessons import Lesson


@dataclass(frozen=True)
class Question:
    """What a term wants to know about every target of a step.

    Attributes
    ----------
    items : int64 tensor, shape [n_targets, n_asked]
        Items whose student scores are wanted; 0 asks for nothing and is answered with any number,
        so the term must give it no weight.
    given : tensors, each [n_targets, ...]
        What the answer is compared with; handed to ``row_losses`` beside the answer.
    weights : float tensor, shape [n_targets]
        Weight of each target; 0 leaves it out. The term's value is their weighted sum over
        ``n_targets``.
    """

    items: Tensor
    given: tuple[Tensor, ...]
    weights: Tensor


class Answer:
    """The student's side of a chunk of targets.

    Parameters
    ----------
    scores : float tensor, shape [n, n_asked]
        Student scores of the asked items.
    log_normaliser : float tensor, shape [n], or None
        ``log sum_i exp(score_i / temperature)`` over the whole catalog, where the term has a
        temperature.
    logits : float tensor, shape [n, n_items]
        Scores of items 1..n over ``unit``. A buffer that is overwritten afterwards.
    unit : float
    catalog : float tensor, shape [n, n_items], or None
        Scores of items 1..n with gradient, for ``dense`` terms.
    """

    def __init__(
        self,
        scores: Tensor,
        log_normaliser: Tensor | None,
        logits: Tensor,
        unit: float,
        catalog: Tensor | None = None,
    ) -> None:
        self.scores, self.log_normaliser, self.catalog = scores, log_normaliser, catalog
        self._logits, self._unit = logits, unit

    @property
    def normaliser(self) -> Tensor:
        """The log-normaliser of a term that has a temperature."""
        if self.log_normaliser is None:
            raise ValueError("only a term with a temperature has a log-normaliser")
        return self.log_normaliser

    def kth_best(self, k: int, rows: slice = slice(None)) -> Tensor:
        """Return the k-th highest score of these rows, shape [n_rows, 1], without gradient."""
        scores = self._logits[rows]
        return best_items(scores, min(k, scores.shape[1]))[0][:, -1:] * self._unit


class Term(ABC):
    """A loss of the student's scores against a teacher's list, one number per target.

    A term sees scores, never states or tables: the pass over the catalog that the base loss makes
    anyway answers every term's question, chunk by chunk, and carries the gradients back.

    Attributes
    ----------
    name : str
        Logged as ``train/loss_<name>``, unweighted.
    temperature : float or None
        Of the log-normaliser the term wants; None wants none.
    dense : bool
        Whether gradients reach every item's score; costs several times a sparse term.
    """

    name: str
    temperature: float | None = None
    dense: bool = False

    @abstractmethod
    def ask(self, lesson: Lesson, targets: Tensor, n_items: int) -> Question:
        """Say which scores the term needs.

        Parameters
        ----------
        lesson : Lesson
            What the teacher says about these targets.
        targets : int64 tensor, shape [n_targets]
        n_items : int
        """

    @abstractmethod
    def row_losses(self, answer: Answer, *given: Tensor) -> Tensor:
        """Return the loss of each row of a chunk, shape [n]."""
