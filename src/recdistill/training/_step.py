"""One training step, and what is minimised on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from recdistill.training._batches import Batch
    from recdistill.training._losses import Loss


@dataclass(frozen=True)
class Step:
    """What a step offers to the objective. All rows are real targets; padding is gone.

    Attributes
    ----------
    states : float tensor, shape [n_targets, dim]
    table : float tensor, shape [n_items + 1, dim], row 0 padding
    targets : int tensor, shape [n_targets]
    batch : Batch
        ``batch.target_keys()`` gives the user row and the position of every target.
    """

    states: Tensor
    table: Tensor
    targets: Tensor
    batch: Batch

    @cached_property
    def rows(self) -> Tensor:
        """The history that each target stands in, int64, shape [n_targets]."""
        return self.batch.target_keys()[0]


@runtime_checkable
class Objective(Protocol):
    """What a fit minimises."""

    def __call__(self, step: Step, progress: float) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return the scalar to minimise and the means over the targets to log.

        Parameters
        ----------
        step : Step
        progress : float
            Share (0 to 1) of the planned steps that are done.

        Returns
        -------
        total : scalar tensor
        means : mapping of name to scalar tensor
            Averaged over the epoch and logged as ``train/<name>``.
        """
        ...

    def epoch_metrics(self) -> Mapping[str, float]:
        """Return what else to log at the end of an epoch, under its full name."""
        ...


class LossAlone:
    """The objective of a baseline: its loss and nothing else."""

    def __init__(self, loss: Loss) -> None:
        self.loss = loss

    def __call__(self, step: Step, progress: float) -> tuple[Tensor, Mapping[str, Tensor]]:
        """See ``Objective``."""
        loss = self.loss(step.states, step.table, step.targets, step.rows)
        return loss, {"loss": loss}

    def epoch_metrics(self) -> Mapping[str, float]:
        """Return nothing: a plain loss has no further diagnostics."""
        return {}
