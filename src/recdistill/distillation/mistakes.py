"""Mistakes in a distillation, made on purpose: rungs of the diagnosis's ladder, nothing else.

All of them were found in one real system whose distilled student came out worse than its baseline.
Each changes one thing about an otherwise sound run, so that its own effect can be measured. The
code that distils knows nothing of them: the ladder changes what it put together.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F

from recdistill.distillation._distil_student import assemble, fit_assembly
from recdistill.distillation._objective import DistillationObjective
from recdistill.distillation._ranking import Ranking
from recdistill.students import SequentialModel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch import Tensor

    from recdistill.data import PreparedData
    from recdistill.distillation._distil_student import Assembly, Teaching
    from recdistill.distillation._mistake_kinds import Mistake
    from recdistill.distillation._terms import Answer, Question, Term
    from recdistill.lessons._lessons import Lesson
    from recdistill.texts import ItemVectors
    from recdistill.training import FittedStudent, Step, StudentRecipe


class PositivesOnly(Ranking):
    """Importance-aware ranking without negatives: raising every score alike satisfies it."""

    def row_losses(self, answer: Answer, *given: Tensor) -> Tensor:
        """See ``Term``."""
        fixed, listed, _ = given
        return (fixed * F.softplus(-answer.scores[:, : listed.shape[1]])).sum(1)


class InvertedConfidence(Ranking):
    """Importance ``e^(-p)`` of each item's probability ``p``, a formula meant for distances."""

    def ask(self, lesson: Lesson, targets: Tensor, n_items: int) -> Question:
        """See ``Term``."""
        question = super().ask(lesson, targets, n_items)
        _, *others = question.given
        importance = torch.exp(-lesson.probabilities(1.0)) * lesson.listed
        return replace(question, given=(importance, *others))


class FaultyObjective:
    """An objective with something wrong about it.

    Parameters
    ----------
    inner : DistillationObjective
    model : SequentialModel
        The student, for its parameters.
    l2 : float
        Half of this times every squared parameter is added: with AdamW's own decay at zero, that
        is Adam with coupled L2.
    vectors : float tensor, shape [n_items + 1, teacher_dim], or None
        Teacher's item vectors; random ones where a teacher has none, which keep the teacher's lists
        apart just as well. The mean vector of the teacher's list, by its probabilities, is added
        to the states through a fixed random map, and the states are pulled to it through a trained
        one, weight 1: training sees the answer, serving does not.
    """

    def __init__(
        self,
        inner: DistillationObjective,
        model: SequentialModel,
        *,
        l2: float = 0.0,
        vectors: Tensor | None = None,
    ) -> None:
        self.inner, self.model, self.l2, self.vectors = inner, model, l2, vectors
        if vectors is not None:
            with torch.random.fork_rng():
                torch.manual_seed(0)
                self.inject = torch.randn(vectors.shape[1], model.dim) / vectors.shape[1] ** 0.5
                # Also kept on the model, where the optimizer finds it.
                self.map = nn.Linear(model.dim, vectors.shape[1])
                model.add_module("faulty_map", self.map)

    def __call__(self, step: Step, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """See ``training.Objective``."""
        if self.vectors is not None:
            lesson = self.inner.lessons.at(*step.batch.target_keys())
            seen = self.vectors[lesson.items]  # [n_targets, k, teacher_dim]
            wanted = (lesson.probabilities(1.0)[:, :, None] * seen).sum(1)
            injected = step.states + wanted @ self.inject
            total, means = self.inner(replace(step, states=injected), progress)
            error = F.mse_loss(self.map(injected), wanted)
            return total + error, {**means, "loss_embedding_mse": error}
        total, means = self.inner(step, progress)
        if self.l2:
            squares = sum(p.square().sum() for p in self.model.parameters())
            total = total + 0.5 * self.l2 * squares
        return total, means

    def epoch_metrics(self) -> dict[str, float]:
        """See ``training.Objective``."""
        return self.inner.epoch_metrics()


class WrongIndex(SequentialModel):
    """What a causal student sees when left-padded histories are read at index ``length - 1``.

    Of ``n`` real items in a window of ``max_length`` the state then comes from the first
    ``2 n - max_length`` of them. Where that is none, the attention row is wholly masked and its
    softmax uniform: the plain mean of the item vectors, without order.

    Parameters
    ----------
    inner : SequentialModel
    """

    def __init__(self, inner: SequentialModel) -> None:
        super().__init__()
        self.inner = inner
        self.n_items, self.dim, self.max_length = inner.n_items, inner.dim, inner.max_length

    def encode(self, items: Tensor) -> Tensor:
        """See ``SequentialModel``."""
        states = self.inner.encode(items)
        length = items.shape[1]
        n_real = torch.arange(1, length + 1, device=items.device)
        n_seen = 2 * n_real - self.max_length
        misread = states[:, (n_seen - 1).clamp(min=0)]
        vectors = self.inner.item_table()[items]
        means = vectors.cumsum(1) / n_real[:, None]
        return torch.where((n_seen > 0)[:, None], misread, F.layer_norm(means, (self.dim,)))

    def item_table(self) -> Tensor:
        """See ``SequentialModel``."""
        return self.inner.item_table()


class MistakeInjector:
    """Makes one mistake in a distillation, at the place where it belongs.

    Parameters
    ----------
    mistake : Mistake
    seed : int
    """

    def __init__(self, mistake: Mistake, seed: int) -> None:
        self.mistake, self.seed = mistake, seed

    def assembly(self, assembly: Assembly) -> Assembly:
        """Return what is fitted, with the mistake if it is one about that.

        Raises
        ------
        TypeError
            When the objective is none that ``assemble`` made.
        """
        student, objective, recipe = assembly.student, assembly.objective, assembly.recipe
        if not isinstance(objective, DistillationObjective):
            raise TypeError(f"a mistake goes into a DistillationObjective, not {objective!r}")
        if self.mistake in _TERMS:
            objective = copy(objective)
            objective.terms = [replace(w, term=self._term(w.term)) for w in objective.terms]
            return replace(assembly, objective=objective)
        if self.mistake == "padding_index":
            return replace(assembly, student=WrongIndex(student))
        if self.mistake == "coupled_l2":
            optimizer = recipe.loop.optimizer
            coupled = FaultyObjective(objective, student, l2=optimizer.weight_decay)
            loop = replace(recipe.loop, optimizer=replace(optimizer, weight_decay=0.0))
            return replace(assembly, objective=coupled, recipe=replace(recipe, loop=loop))
        if self.mistake == "embedding_mse":
            generator = torch.Generator().manual_seed(self.seed)
            vectors = torch.randn(student.n_items + 1, student.dim, generator=generator)
            return replace(assembly, objective=FaultyObjective(objective, student, vectors=vectors))
        return assembly

    def _term(self, term: Term) -> Term:
        if not isinstance(term, Ranking):
            return term
        return _TERMS[self.mistake](term.config, term.mean_confidence)


_TERMS: dict[Mistake, type[Ranking]] = {
    "positives_only": PositivesOnly,
    "inverted_confidence": InvertedConfidence,
}


def distil_with_mistake(
    mistake: Mistake,
    recipe: StudentRecipe,
    teaching: Teaching,
    data: PreparedData,
    *,
    seed: int,
    vectors: ItemVectors | None = None,
    log: Callable[[Mapping[str, float], int], None] | None = None,
    checkpoint_folder: Path | None = None,
) -> FittedStudent:
    """Do what ``distil_student`` does, with one mistake; "none" makes none."""
    injector = MistakeInjector(mistake, seed)
    assembly = assemble(recipe, teaching, data, seed=seed, vectors=vectors)
    return fit_assembly(
        injector.assembly(assembly), seed=seed, log=log, checkpoint_folder=checkpoint_folder
    )
