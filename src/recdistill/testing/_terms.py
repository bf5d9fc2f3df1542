"""The laws that every loss term keeps."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import pytest
import torch

from recdistill.distillation import Answer, Term
from recdistill.distillation._catalog_pass import Asked, catalog_pass
from recdistill.lessons import Lesson


@dataclass(frozen=True)
class TermStep:
    """A small training step in double precision, with lists of every kind.

    Attributes
    ----------
    states : float tensor, shape [n, dim]
    table : float tensor, shape [n_items + 1, dim]
    targets : int64 tensor, shape [n]
    lesson : Lesson
        Row 0 has no list, row 1 a short one; the others leave a tenth to a half of the mass out.
    """

    states: torch.Tensor
    table: torch.Tensor
    targets: torch.Tensor
    lesson: Lesson

    @classmethod
    def drawn(cls, n: int = 13, n_items: int = 90, dim: int = 5, k: int = 4) -> TermStep:
        """Draw a step; always the same one."""
        random = torch.Generator().manual_seed(0)

        def normal(*shape: int) -> torch.Tensor:
            return torch.randn(shape, generator=random, dtype=torch.float64)

        def uniform(*shape: int) -> torch.Tensor:
            return torch.rand(shape, generator=random, dtype=torch.float64)

        states, table = normal(n, dim), normal(n_items + 1, dim)
        table[0] = 0
        items = torch.stack([torch.randperm(n_items, generator=random)[:k] + 1 for _ in range(n)])
        logits = normal(n, k).sort(1, descending=True)[0]
        items[1, 2:], logits[1, 2:] = 0, -torch.inf
        logits = logits.log_softmax(1) + (0.5 + 0.4 * uniform(n, 1)).log()
        items[0], logits[0] = 0, -torch.inf
        weights, distance = uniform(n), 3 * uniform(n)
        weights[0] = 0
        targets = torch.randint(1, n_items + 1, (n,), generator=random)
        rows = torch.arange(n)
        lesson = Lesson(items, logits, distance, weights, rows, torch.ones_like(rows))
        return cls(states.requires_grad_(), table.requires_grad_(), targets, lesson)


class TermSuite:
    """Inherit this as ``class TestMine(TermSuite)`` and return the term under test in ``term``.

    Attributes
    ----------
    from_teacher : bool
        Whether a target without a list must teach nothing; False for a term that does without.
    """

    from_teacher: bool = True

    @abstractmethod
    def term(self) -> Term:
        """Return the term under test, built anew."""

    @pytest.fixture
    def step(self) -> TermStep:
        """Return what the term is asked about."""
        return TermStep.drawn()

    def _asked(self, step: TermStep, weight: float = 1.0) -> Asked:
        torch.manual_seed(0)  # a term may draw when it asks
        term = self.term()
        question = term.ask(step.lesson, step.targets, len(step.table) - 1)
        return Asked(term, question, weight)

    def test_its_question_can_be_answered(self, step: TermStep) -> None:
        question = self._asked(step).question
        n = len(step.targets)
        assert question.items.shape[0] == question.weights.shape[0] == n
        assert all(len(given) == n for given in question.given)
        assert question.items.min() >= 0
        assert question.items.max() < len(step.table)
        assert (question.weights >= 0).all()

    def test_a_target_without_weight_teaches_nothing(self, step: TermStep) -> None:
        asked = self._asked(step)
        total, _, values = catalog_pass(step.states, step.table, _no_base(step), [asked])
        (gradient,) = torch.autograd.grad(total, step.states)
        silent = asked.question.weights == 0
        assert values.isfinite().all()
        assert gradient.isfinite().all()
        assert (gradient[silent] == 0).all()
        assert gradient.abs().sum() > 0, "nothing is learned anywhere"
        if self.from_teacher:
            assert silent[0], "target 0 has no list"

    def test_value_and_gradients_are_those_of_plain_autograd(self, step: TermStep) -> None:
        asked = self._asked(step, weight=0.7)
        expected = _plain(step, asked)
        wanted = torch.autograd.grad(expected, [step.states, step.table])
        for chunk in (4, 100):
            total, *_ = catalog_pass(step.states, step.table, _no_base(step), [asked], chunk)
            found = torch.autograd.grad(total, [step.states, step.table])
            torch.testing.assert_close(total, expected)
            torch.testing.assert_close(found[0], wanted[0])
            torch.testing.assert_close(found[1], wanted[1])

    def test_it_has_a_name(self) -> None:
        assert self.term().name


def _no_base(step: TermStep) -> torch.Tensor:
    return torch.zeros(len(step.states), dtype=step.states.dtype)


def _plain(step: TermStep, asked: Asked) -> torch.Tensor:
    """Compute the same total with one [n, n_items] matrix and nothing clever."""
    term, question = asked.term, asked.question
    logits = step.states @ step.table[1:].T
    scores = logits.gather(1, (question.items - 1).clamp(min=0))
    normaliser = None
    if term.temperature is not None:
        normaliser = (logits / term.temperature).logsumexp(1)
    answer = Answer(scores, normaliser, logits.detach(), 1.0, logits)
    losses = term.row_losses(answer, *question.given)
    return asked.weight * (losses * question.weights).sum() / len(logits)
