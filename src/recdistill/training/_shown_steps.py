"""Lightning's steps as a line that moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl

if TYPE_CHECKING:
    from recdistill.progress import Line


class ShownSteps(pl.Callback):
    """Counts the batches of all epochs; a resumed training begins where it stopped."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Count what there is to do."""
        n_batches, n_epochs = int(trainer.num_training_batches), trainer.max_epochs or 1
        self._line.expect(n_batches * n_epochs, done=n_batches * trainer.current_epoch)

    def on_train_batch_end(self, *args: Any) -> None:
        """Count a batch."""
        self._line.advance()
