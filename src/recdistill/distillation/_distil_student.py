"""Train a student on its targets and on what teachers say about them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from recdistill.distillation._fusion import FusionConfig, fold_items, fuse_items
from recdistill.distillation._objective import DistillationObjective, Weighted
from recdistill.distillation._registry import Ground, TermConfigs, build_term
from recdistill.distillation._schedule import Annealing
from recdistill.students import build_student
from recdistill.training import FittedStudent, build_loss, finished, fit, said_by, take_in_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from recdistill.data import PreparedData, Sequences
    from recdistill.distillation._mistakes import Spoiler
    from recdistill.lessons._lessons import Lessons
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
        The teachers' lists at the training positions, or at those of ``views``.
    weights : dict
        Weight of every loss term that is on, by name; empty is the baseline itself.
    terms : TermConfigs
    annealing : Annealing
    loss_weight : float
        Of the student's own loss.
    inspect_every : int
        Steps between two measurements of each term's gradient; 0 never.
    fusion : Fusion, optional
    start : dict, optional
        Weights to start from.
    views : Sequences, optional
        Views of the training histories to train on in their place; see ``TransferSet``.
    """

    lessons: Lessons
    weights: Mapping[str, float] = field(default_factory=dict)
    terms: TermConfigs = field(default_factory=TermConfigs)
    annealing: Annealing = field(default_factory=Annealing)
    loss_weight: float = 1.0
    inspect_every: int = 50
    fusion: Fusion | None = None
    start: Mapping[str, torch.Tensor] | None = None
    views: Sequences | None = None


def distil_student(
    recipe: StudentRecipe,
    teaching: Teaching,
    data: PreparedData,
    *,
    seed: int,
    vectors: ItemVectors | None = None,
    log: Callable[[Mapping[str, float], int], None] | None = None,
    checkpoint_folder: Path | None = None,
    spoiler: Spoiler | None = None,
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
    spoiler : Spoiler, optional
        The ladder's: makes one mistake on purpose.
    """
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
    ground = Ground(teaching.lessons, torch.from_numpy(counts))
    terms = {name: build_term(name, teaching.terms, ground) for name in teaching.weights}
    if teaching.views is not None and any(teaching.weights.values()):
        data = replace(data, train=teaching.views)
    if spoiler:
        student = spoiler.student(student)
        terms = {name: spoiler.term(term) for name, term in terms.items()}
    distillation = DistillationObjective(
        build_loss(recipe.loss, counts),
        [Weighted(terms[n], weight, teaching.annealing) for n, weight in teaching.weights.items()],
        teaching.lessons,
        loss_weight=teaching.loss_weight,
        inspect_every=teaching.inspect_every,
    )
    objective: Objective = distillation
    loop = recipe.loop
    if spoiler:
        objective = spoiler.objective(distillation, student, loop.optimizer.weight_decay)
        if spoiler.mistake == "coupled_l2":
            loop = replace(loop, optimizer=replace(loop.optimizer, weight_decay=0.0))
    result = fit(
        student,
        objective,
        data,
        loop,
        log=log,
        checkpoint_folder=checkpoint_folder,
        seed=seed,
        signature=asdict(recipe.architecture)
        | {"terms": dict(teaching.weights)}
        | said_by(vectors),
    )
    trained = finished(student, recipe.architecture, vectors, data)
    fold_items(student)
    return FittedStudent(trained, result)
