"""Train a student on its targets and on what teachers say about them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from recdistill.distillation._config import FusionConfig, TermConfigs
from recdistill.distillation._fusion import fold_items, fuse_items
from recdistill.distillation._objective import DistillationObjective, Weighted
from recdistill.distillation._registry import TermInputs, build_term
from recdistill.distillation._schedule import Annealing
from recdistill.students import build_student
from recdistill.training import FittedStudent, finished, fit, loss_for, said_by, take_in_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from recdistill.data import PreparedData
    from recdistill.lessons._lessons import Lessons
    from recdistill.students import SequentialModel
    from recdistill.texts import ItemVectors
    from recdistill.training import Objective, StudentRecipe


@dataclass(frozen=True)
class Fusion:
    """A teacher's item vectors as part of the student's item table.

    Attributes
    ----------
    vectors : float tensor, shape [n_items + 1, teacher_dim]
    weight : float
    config : FusionConfig
    """

    vectors: torch.Tensor
    weight: float
    config: FusionConfig = field(default_factory=FusionConfig)


@dataclass(frozen=True)
class Teaching:
    """What a student learns from beside its targets.

    Attributes
    ----------
    lessons : Lessons
        The teachers' lists, and the sequences that a student is trained on.
    weights : dict
        Weight of every loss term that is on, by name. Empty leaves the baseline's own loss on the
        lessons' sequences: the baseline itself where those are the training histories.
    terms : TermConfigs
    annealing : Annealing
    loss_weight : float
        Of the student's own loss.
    inspect_every : int
        Steps between two measurements of each term's gradient; 0 never.
    fusion : Fusion, optional
    start : dict, optional
        Weights to start from.
    """

    lessons: Lessons
    weights: Mapping[str, float] = field(default_factory=dict)
    terms: TermConfigs = field(default_factory=TermConfigs)
    annealing: Annealing = field(default_factory=Annealing)
    loss_weight: float = 1.0
    inspect_every: int = 50
    fusion: Fusion | None = None
    start: Mapping[str, torch.Tensor] | None = None


@dataclass(frozen=True)
class Assembly:
    """A distillation put together and not yet fitted.

    Attributes
    ----------
    recipe : StudentRecipe
    student : SequentialModel
        Untrained, or at the weights it starts from.
    objective : Objective
    data : PreparedData
        Its training part are the sequences of the lessons.
    signature : dict
        What an interrupted fit must have in common with the one that takes it up.
    vectors : ItemVectors, optional
        Of the items' texts.
    """

    recipe: StudentRecipe
    student: SequentialModel
    objective: Objective
    data: PreparedData
    signature: Mapping[str, object]
    vectors: ItemVectors | None = None


def assemble(
    recipe: StudentRecipe,
    teaching: Teaching,
    data: PreparedData,
    *,
    seed: int,
    vectors: ItemVectors | None = None,
) -> Assembly:
    """Build the student, its terms and what it minimises; see ``distil_student``."""
    n_items = data.catalog.n_items
    counts = np.bincount(data.train.items, minlength=n_items + 1)
    student = build_student(recipe.architecture, n_items, seed=seed, train=data.train)
    if teaching.start is not None:
        student.load_state_dict(teaching.start)
    started = teaching.start is not None
    take_in_text(student, recipe.architecture, vectors, data, seed=seed, started=started)
    if teaching.fusion is not None:
        fusion = teaching.fusion
        fuse_items(student, fusion.vectors, fusion.weight, fusion.config, seed=seed)
    inputs = TermInputs(teaching.lessons, torch.from_numpy(counts))
    weighted = [
        Weighted(build_term(name, teaching.terms, inputs), weight, teaching.annealing)
        for name, weight in teaching.weights.items()
    ]
    objective = DistillationObjective(
        loss_for(recipe, student, counts, taught=bool(teaching.weights)),
        weighted,
        teaching.lessons,
        loss_weight=teaching.loss_weight,
        inspect_every=teaching.inspect_every,
    )
    signature = asdict(recipe.architecture) | {"terms": dict(teaching.weights)}
    signature |= said_by(vectors)
    on_sequences = replace(data, train=teaching.lessons.sequences)
    return Assembly(recipe, student, objective, on_sequences, signature, vectors)


def fit_assembly(
    assembly: Assembly,
    *,
    seed: int,
    log: Callable[[Mapping[str, float], int], None] | None = None,
    checkpoint_folder: Path | None = None,
) -> FittedStudent:
    """Fit what was put together, and leave a plain student; see ``distil_student``."""
    recipe, student, data = assembly.recipe, assembly.student, assembly.data
    result = fit(
        student,
        assembly.objective,
        data,
        recipe.loop,
        log=log,
        checkpoint_folder=checkpoint_folder,
        seed=seed,
        signature=assembly.signature,
    )
    trained = finished(student, recipe.architecture, assembly.vectors, data)
    fold_items(student)
    return FittedStudent(trained, result)


def distil_student(
    recipe: StudentRecipe,
    teaching: Teaching,
    data: PreparedData,
    *,
    seed: int,
    vectors: ItemVectors | None = None,
    log: Callable[[Mapping[str, float], int], None] | None = None,
    checkpoint_folder: Path | None = None,
) -> FittedStudent:
    """Fit as ``training.fit_student`` does, with the terms on top, and leave a plain student.

    Parameters
    ----------
    recipe : StudentRecipe
        The baseline's, for a fair comparison.
    teaching : Teaching
    data : PreparedData
    seed, vectors, log, checkpoint_folder
        See ``training.fit_student``.
    """
    assembly = assemble(recipe, teaching, data, seed=seed, vectors=vectors)
    return fit_assembly(assembly, seed=seed, log=log, checkpoint_folder=checkpoint_folder)
