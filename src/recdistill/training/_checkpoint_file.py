"""Checkpoints written to their file as they are made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

if TYPE_CHECKING:
    from lightning_fabric.utilities.types import _PATH


class StraightToFile(TorchCheckpointIO):
    """Holds one piece of a checkpoint in memory at a time.

    Lightning writes the whole checkpoint into memory and copies that once more: with a large
    catalog eight item tables, twice what the training itself needs. That a kill leaves no half a
    file is seen to by whoever asks: under a passing name first.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: _PATH, storage_options: Any | None = None
    ) -> None:
        """Write ``checkpoint`` to ``path``, whose folder is there.

        Raises
        ------
        OSError
            As when the disk is full: torch's own writer would say neither what nor where.
        """
        with Path(path).open("wb") as file:
            torch.save(checkpoint, file)
