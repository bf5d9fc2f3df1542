"""A training of which a part goes away, for a process that finds it by its name."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch

from recdistill.ranks import current
from recdistill.students import build_student
from recdistill.training import LossAlone, Softmax, fit, fit_student

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from recdistill.data import PreparedData
    from recdistill.training import FittedStudent, Step, StudentRecipe


class KilledOn1(LossAlone):
    """The loss of a baseline, until rank 1 goes away as when the system ends it."""

    def __init__(self, at_step: int) -> None:
        super().__init__(Softmax())
        self.left = at_step

    def __call__(self, step: Step, progress: float) -> Any:
        self.left -= 1
        group = current()
        if group and group.place.rank == 1 and self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(step, progress)


@contextmanager
def doubles() -> Iterator[None]:
    """Tensors of double precision, so that the order of sums shows in the last digits alone.

    In single precision it would show anywhere: Adam divides a gradient by its own size, so where
    one is zero but for rounding, rounding decides the step.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@doubles()
def fit_in_doubles(recipe: StudentRecipe, data: PreparedData, **settings: Any) -> FittedStudent:
    return fit_student(recipe, data, **settings)


@doubles()
def fit_until_killed(
    recipe: StudentRecipe,
    data: PreparedData,
    *,
    at_step: int,
    checkpoint_folder: Any = None,
    log: Callable[[Mapping[str, float], int], None] | None = None,
) -> None:
    fit(
        build_student(recipe.architecture, data.catalog.n_items, seed=0, train=data.train),
        KilledOn1(at_step),
        data,
        recipe.loop,
        seed=0,
        log=log,
        checkpoint_folder=checkpoint_folder,
        signature=asdict(recipe.architecture) | asdict(recipe.loss),
    )
