"""The gradients of a step, in as many pieces as the memory asks for."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from recdistill.errors import UserError
from recdistill.ranks import current
from recdistill.teachers._checks import explain_nonfinite
from recdistill.training import weighted_logsumexp

if TYPE_CHECKING:
    from collections.abc import Callable

    from recdistill.teachers._network import TeacherNetwork
    from recdistill.teachers._progress import Progress
    from recdistill.teachers._windows import Batch

_logger = logging.getLogger(__name__)


class BackwardInPieces:
    """Leaves the gradients of a step's mean loss, whatever it is cut into.

    When the memory runs out, the micro-batch halves, the number of accumulated pieces doubles, and
    the same step is repeated with the same windows.

    Parameters
    ----------
    network : TeacherNetwork
    seed : int
    backward : callable
        Takes a piece's loss.
    shared_layers : bool
        Ranks hold the frozen layers in parts, which each forward puts together: they must run
        equally many, in the same order.
    """

    def __init__(
        self,
        network: TeacherNetwork,
        seed: int,
        backward: Callable[[torch.Tensor], None],
        *,
        shared_layers: bool = False,
    ) -> None:
        self.network, self.seed, self.backward = network, seed, backward
        self.shared_layers = shared_layers

    def __call__(
        self, batch: Batch, progress: Progress, optimizer: Any
    ) -> tuple[float, float, float]:
        """Leave the gradients; return the mean loss, the tokens and the positions.

        Raises
        ------
        UserError
            When a single window does not fit the memory, or the loss is not finite.
        """
        group = current()
        while True:
            optimizer.zero_grad()
            # Dropout depends on seed and step alone, so a resumed or repeated step draws the same.
            own = group.seed if group else 0
            torch.manual_seed(self.seed * 1_000_003 + progress.step + own)
            message, loss = self._tried(batch, progress)
            figures = [loss, *self._counted(batch)]
            n_failed = float(bool(message))
            if group:  # where one rank must start over, all do
                n_failed, *figures = group.sums([n_failed, *figures])
                figures[0] /= group.place.size
            if not n_failed:
                if group:
                    group.average(self.network.trainable().values())
                return figures[0], figures[1], figures[2]
            _cut_further(batch, progress, message)

    def loss(self, batch: Batch, n_targets: int) -> torch.Tensor:
        """Sum of cross-entropies over the batch's targets, divided by ``n_targets``."""
        states = self.network.encode(batch.items)  # [batch, length + 1, dim]
        window, step = batch.targets.nonzero(as_tuple=True)
        targets = batch.targets[window, step] - 1
        with torch.autocast(states.device.type, enabled=False):
            picked = states[window, step].float()  # [n, dim]
            table = self.network.item_table()[1:].float()  # [n_items, dim]
            weights = picked.new_full((len(targets),), 1 / n_targets)
            hits = (picked * table[targets]).sum()
            return weighted_logsumexp(picked, table, weights) - hits / n_targets

    def _tried(self, batch: Batch, progress: Progress) -> tuple[str, float]:
        """Run the pieces; return what memory ran out of, if it did, and the loss."""
        try:
            return "", self._accumulated(batch, progress)
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not _out_of_memory(error):
                raise
            message = str(error).splitlines()[0]
            if self.shared_layers:  # the others wait within this forward, not after it
                raise UserError(
                    f"A piece of a step does not fit the memory ({message}), and with "
                    "strategy=fsdp a step cannot start over: set checkpointing=true, or lower "
                    "batch, max_length or llm_layers."
                ) from error
            return message, 0.0

    def _accumulated(self, batch: Batch, progress: Progress) -> float:
        """Accumulate the gradient of the mean loss over the whole batch, piece by piece."""
        n_targets = int((batch.targets > 0).sum())
        total = 0.0
        for piece in self._pieces(batch, progress.n_parts):
            with self.network.held_gate():
                loss = self.loss(piece, n_targets) * piece.share
                if not torch.isfinite(loss):
                    raise self._not_finite(piece, n_targets, progress.step + 1)
                self.backward(loss)
            total += float(loss.detach())
        return total

    def _pieces(self, batch: Batch, n_parts: int) -> list[Batch]:
        """Cut a step; a rank with fewer pieces than others may have to fill up for nothing."""
        pieces = batch.split(n_parts)
        group = current()
        if group and self.shared_layers:
            most = max(int(n) for (n,) in group.by_rank([len(pieces)]))
            pieces += [replace(pieces[0], share=0.0)] * (most - len(pieces))
        return pieces

    def _counted(self, batch: Batch) -> tuple[int, int]:
        """Count the tokens and the targets of a batch; of one that stands in for none, none."""
        if not batch.share:
            return 0, 0
        return self.network.count_tokens_of(batch.items), int((batch.targets > 0).sum())

    def _not_finite(self, piece: Batch, n_targets: int, step: int) -> UserError:
        if self.shared_layers:  # looking for it takes forwards that the others do not make
            return UserError(f"The loss of step {step} is not finite: strategy=ddp says where.")
        return explain_nonfinite(self.network, partial(self.loss, piece, n_targets), step)


def _cut_further(batch: Batch, progress: Progress, message: str) -> None:
    """Double the pieces of a step; ``message`` is empty where another rank asks for it."""
    if message and progress.n_parts >= len(batch):
        raise UserError(
            f"A single window of {batch.items.shape[1]} items does not fit the memory "
            f"({message}): set checkpointing=true, lower max_length or llm_layers, or use "
            "prompt=compact."
        )
    progress.n_parts *= 2
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    _logger.warning(
        "out of memory at step %d: the step starts over in %d pieces",
        progress.step + 1,
        progress.n_parts,
    )


def _out_of_memory(error: BaseException) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "not enough memory" in str(error)
