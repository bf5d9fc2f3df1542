"""Fit a student: one call, resumable, bounded in memory."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import pytorch_lightning as pl
import torch
from safetensors.torch import load_model

from recdistill.errors import UserError
from recdistill.progress import progress_of
from recdistill.ranks import is_lead, peaks_by_rank, whole_file
from recdistill.training._allocator import keep_freed_memory
from recdistill.training._batches import window_loader
from recdistill.training._checkpoint_file import StraightToFile
from recdistill.training._distributed import placement, shared_out
from recdistill.training._module import TrainingModule
from recdistill.training._progress import SELECTED_BY, Progress
from recdistill.training._quiet import lightning_quiet
from recdistill.training._resume import (
    interruptible,
    kept_folder,
    resumable_checkpoint,
    signature_lines,
)
from recdistill.training._shown_steps import ShownSteps
from recdistill.training._step import LossAlone, Objective
from recdistill.training._touched_rows import looked_up

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from recdistill.data import PreparedData
    from recdistill.students import SequentialModel
    from recdistill.training._config import FitConfig
    from recdistill.training._losses import Loss


@dataclass(frozen=True)
class FitResult:
    """How a fit went.

    Attributes
    ----------
    best : dict
        The selected validation: ``epoch``, ``val/*`` and that epoch's ``train/*``.
    history : list of dict
        Every validation, oldest first.
    n_epochs : int
        Epochs trained, those before a resumption included.
    """

    best: dict[str, float]
    history: list[dict[str, float]]
    n_epochs: int


def fit(
    model: SequentialModel,
    loss: Loss | Objective,
    data: PreparedData,
    config: FitConfig,
    *,
    seed: int,
    log: Callable[[Mapping[str, float], int], None] | None = None,
    checkpoint_folder: Path | None = None,
    signature: Mapping[str, object] | None = None,
) -> FitResult:
    """Fit ``model`` in place and leave the best averaged weights in it.

    A ``last.ckpt`` in ``checkpoint_folder`` is taken up, and the run then ends as if it had never
    been interrupted: what an epoch draws depends on the seed and the epoch's number alone.

    Parameters
    ----------
    model : SequentialModel
    loss : Loss or Objective
        A plain loss, or everything a distillation minimises.
    data : PreparedData
        ``data.train`` trains, ``data.val`` selects; ``data.test`` is never read.
    config : FitConfig
    seed : int
    log : callable, optional
        Receives ``(metrics, epoch)`` once per epoch.
    checkpoint_folder : Path, optional
        Gets ``best.safetensors`` (averaged weights) and ``last.ckpt``; without one an interrupted
        fit is lost.
    signature : mapping, optional
        What else a checkpoint must agree on to be taken up (model and loss settings, say).

    Raises
    ------
    UserError
        If no training row has two items, CUDA is asked for and absent, or ``last.ckpt`` is damaged
        or belongs to a fit with other settings.
    """
    if not (data.train.lengths > 1).any():
        raise UserError("No user has two training interactions: there is no next item to learn.")
    accelerator = _accelerator(config.device)
    keep_freed_memory()
    loader = window_loader(
        data.train, max_length=model.max_length, tokens=config.tokens_per_batch, seed=seed
    )
    loader = shared_out(loader, count=lambda windows: windows[:, 2])
    n_steps = len(loader) * config.max_epochs
    objective = loss if isinstance(loss, Objective) else LossAlone(loss)
    module = TrainingModule(model, objective, config.optimizer, n_steps, seed)
    facts = asdict(config) | {"seed": seed, "split": data.split_digest} | dict(signature or {})
    del facts["device"]
    lines = signature_lines(facts)
    own_draws = _own_random_state(accelerator)
    with kept_folder(checkpoint_folder) as folder, lightning_quiet(), own_draws:
        log = log or _say_nothing
        progress = Progress(data, config, log, folder, lines, objective)
        last = resumable_checkpoint(folder / "last.ckpt", lines, Progress.signature_in)
        last = whole_file(last, folder)
        name = type(model).__name__.lower()
        rows = config.optimizer.rows
        with interruptible(), looked_up(model, rows), progress_of(f"train {name}", "steps") as line:
            trainer = _trainer(config, accelerator, [progress, ShownSteps(line)])
            trainer.fit(module, loader, ckpt_path=last, weights_only=True)
        if peaks := peaks_by_rank():
            log(peaks, trainer.current_epoch)
        if is_lead():
            load_model(model, str(folder / "best.safetensors"))
    return FitResult(progress.best, progress.history, trainer.current_epoch)


def _say_nothing(metrics: Mapping[str, float], epoch: int) -> None:
    """Log nowhere."""


def _accelerator(device: str) -> str:
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("device is 'cuda' but no CUDA device is present; use device=auto or cpu.")
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"


def _own_random_state(accelerator: str) -> AbstractContextManager[None]:
    """Restore the generators afterwards; of the GPUs, only that of this process's own."""
    devices = [torch.cuda.current_device()] if accelerator == "cuda" else []
    own: AbstractContextManager[None] = torch.random.fork_rng(devices=devices)
    return own


def _trainer(config: FitConfig, accelerator: str, callbacks: list[pl.Callback]) -> pl.Trainer:
    # Everything Lightning does per step beyond the step is switched off: at small batches it
    # would cost as much as the arithmetic.
    return pl.Trainer(
        accelerator=accelerator,
        **placement(accelerator),
        use_distributed_sampler=False,
        precision="bf16-mixed" if accelerator == "cuda" else "32-true",
        max_epochs=config.max_epochs,
        callbacks=callbacks,
        plugins=[StraightToFile()],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_val_batches=0,
    )


__all__ = ["SELECTED_BY", "FitResult", "fit"]
