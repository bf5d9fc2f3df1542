"""Exponential moving average of the weights."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from recdistill.errors import UserError
from recdistill.training._touched_rows import touched_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

    from recdistill.students import SequentialModel


class AveragedWeights:
    """A moving average of a model's parameters, swapped in for validation.

    Parameters
    ----------
    model : SequentialModel
        Of an item table of which a step updates some rows, the other rows' averages are left until
        they are asked for; see ``_RowAverage``.
    decay : float
        Weight of the past per step. Early steps average over what there is: the decay starts low
        and grows as ``(1 + steps) / (10 + steps)`` until it reaches ``decay``.
    """

    def __init__(self, model: SequentialModel, decay: float) -> None:
        self.decay, self.steps = decay, 0
        table = touched_table(model)
        self._live = list(model.parameters())
        self.weights = [p.detach().clone() for p in self._live]
        self._dense = [i for i, p in enumerate(self._live) if p is not table]
        self._rows: _RowAverage | None = None
        if table is not None:
            at = next(i for i, p in enumerate(self._live) if p is table)
            self._rows = _RowAverage(table, self.weights[at])

    def before_step(self) -> None:
        """Take note of what the step is about to touch: its gradients are there, it is not."""
        if self._rows is not None:
            self._rows.catch_up()

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the current weights."""
        self.steps += 1
        decay = min(self.decay, self.steps / (9 + self.steps))
        torch._foreach_lerp_(
            [self.weights[i] for i in self._dense],
            [self._live[i].detach() for i in self._dense],
            1 - decay,
        )
        if self._rows is not None:
            self._rows.update(decay)

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Put the average into the model for the time of a ``with`` block."""
        if self._rows is not None:
            self._rows.catch_up_all()
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for live, mean in zip(self._live, self.weights, strict=True):
            live.data, mean.data = mean.data, live.data

    def state(self) -> dict[str, object]:
        """Return what `restore` needs."""
        rows = {} if self._rows is None else {"rows": self._rows.state()}
        return {"steps": self.steps, "weights": self.weights, **rows}

    def restore(
        self, steps: int, weights: list[Tensor], rows: Mapping[str, Any] | None = None
    ) -> None:
        """Take up the average where `state` left it."""
        self.steps = steps
        for mean, saved in zip(self.weights, weights, strict=True):
            mean.copy_(saved)
        if self._rows is not None and rows is not None:
            self._rows.restore(**rows)


_ROWS_AT_A_TIME = 65_536


class _RowAverage:
    """The average of a table whose rows stand still unless a step touches them.

    While a row stands still, what its average lacks shrinks by the step's decay and nothing else
    happens: ``mean_t = w + (mean_s - w) * d_(s+1) ... d_t``. So the average of a row is brought up
    to date when a step is about to touch it or the whole table is wanted, from the logarithms of
    the decays summed up since: the same average, at the cost of the rows touched.

    Parameters
    ----------
    table : the live parameter, [n_rows, dim]
    mean : its average, written in place
    """

    def __init__(self, table: Tensor, mean: Tensor) -> None:
        self._table, self._mean = table, mean
        self._log_decay = 0.0  # sum over all steps
        self._done = torch.zeros(len(table), dtype=torch.float64, device=table.device)
        self._touched: Tensor | None = None

    @torch.no_grad()
    def catch_up(self) -> None:
        """Bring the rows that the gradient names up to date, before their weights change.

        Raises
        ------
        UserError
            When the gradient is one of every row.
        """
        if self._table.grad is not None:
            if not self._table.grad.is_sparse:
                raise UserError(
                    "optimizer.rows is 'touched', but the loss gives every row of the item table a "
                    "gradient: make the loss with training.loss_for."
                )
            self._table.grad = self._table.grad.coalesce()  # once for this and for the optimizer
            self._touched = self._table.grad.indices()[0]
            self._settle(self._touched)

    @torch.no_grad()
    def update(self, decay: float) -> None:
        """Average the rows that the step touched; remember the decay for the others."""
        self._log_decay += math.log(decay)
        rows, self._touched = self._touched, None
        if rows is not None:
            mean = self._mean.index_select(0, rows)
            mean.lerp_(self._table.detach().index_select(0, rows), 1 - decay)
            self._mean.index_copy_(0, rows, mean)
            self._done[rows] = self._log_decay

    @torch.no_grad()
    def catch_up_all(self) -> None:
        """Bring the whole table up to date."""
        n = len(self._table)
        for start in range(0, n, _ROWS_AT_A_TIME):
            stop = min(start + _ROWS_AT_A_TIME, n)
            self._settle(torch.arange(start, stop, device=self._table.device))

    def _settle(self, rows: Tensor) -> None:
        since = (self._log_decay - self._done[rows]).exp()[:, None]  # [n_rows, 1]
        now = self._table.detach().index_select(0, rows)
        lacking = self._mean.index_select(0, rows).sub_(now).mul_(since.to(now))
        self._mean.index_copy_(0, rows, now.add_(lacking))
        self._done[rows] = self._log_decay

    def state(self) -> dict[str, object]:
        """Return what ``restore`` needs beside the average itself."""
        return {"log_decay": self._log_decay, "done": self._done}

    def restore(self, log_decay: float, done: Tensor) -> None:
        """Go on where ``state`` was taken."""
        self._log_decay = log_decay
        self._done.copy_(done)
