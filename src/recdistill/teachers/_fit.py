"""Run the training and hand back the best epoch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint

from recdistill.evaluation import evaluate
from recdistill.progress import progress_of
from recdistill.ranks import current, peaks_by_rank, whole_file
from recdistill.teachers._precision import resolve_precision
from recdistill.teachers._progress import put
from recdistill.teachers._sharded import sharded
from recdistill.teachers._training import TeacherModule
from recdistill.training import (
    ShownSteps,
    interruptible,
    kept_folder,
    lightning_quiet,
    placement,
    resumable_checkpoint,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from recdistill.data import PreparedData
    from recdistill.evaluation import Recommender
    from recdistill.ranks import Strategy
    from recdistill.teachers._network import TeacherNetwork
    from recdistill.teachers._training_settings import TrainingSettings

_LAST = "last.ckpt"


@dataclass(frozen=True)
class Fitted:
    """What a training came to.

    Attributes
    ----------
    best_epoch : int, from 1
    best_ndcg : float
        Validation NDCG@10 of the best epoch, by which it was chosen.
    n_steps : int
        Optimiser steps taken, those before an interruption included.
    n_parts : int
        Pieces a step ended up in.
    measured_bytes : int
        What the largest step takes; 0 if it was not watched, or taken before an interruption.
    """

    best_epoch: int
    best_ndcg: float
    n_steps: int
    n_parts: int
    measured_bytes: int = 0


def fit_teacher(
    network: TeacherNetwork,
    data: PreparedData,
    settings: TrainingSettings,
    *,
    validate: Callable[[Recommender], Mapping[str, float]] | None = None,
    log: Callable[[Mapping[str, float], int], None] | None = None,
    checkpoints: Path | None = None,
    seed: int = 0,
    n_parts: int = 1,
    watch_memory: bool = False,
    strategy: Strategy = "ddp",
) -> Fitted:
    """Train a teacher and leave the best epoch's weights in the network.

    On several devices by ``ranks.together``, which makes this call on all of them.

    Parameters
    ----------
    network : TeacherNetwork
        Its language model loaded in the format ``resolve_precision`` gave.
    validate : callable, optional
        Takes a recommender, returns metrics with the key ``ndcg_at_10``; by default those of
        ``data.val``.
    log : callable, optional
        Takes metrics and the optimiser step.
    checkpoints : Path, optional
        Every epoch's end is kept here; when a checkpoint is found, training goes on from it and
        ends as if it had never stopped. Without one an interrupted training is lost.
    n_parts : int
        Pieces a step is cut into from the start; out of memory doubles it.
    watch_memory : bool
        Measure what the first step, which is the largest, takes.
    strategy : "ddp" or "fsdp"
        See ``ranks.Devices``; alone it means nothing.

    Raises
    ------
    UserError
        When a part of the network gets no gradient, a number stops being finite, a single window
        does not fit the memory, or the checkpoint is damaged or of another training.
    """
    precision, _ = resolve_precision(settings.precision)
    torch.set_float32_matmul_precision(settings.matmul_precision)
    if settings.checkpointing:
        network.enable_checkpointing()
    whole, shared_layers = network, current() is not None and strategy == "fsdp"
    if shared_layers:
        network = sharded(whole)
    module = TeacherModule(
        network,
        data.train,
        settings,
        validate or partial(_validated, data),
        log or _say_nothing,
        catalog_digest=data.catalog.digest,
        seed=seed,
        n_parts=n_parts,
        watch_memory=watch_memory,
        shared_layers=shared_layers,
    )
    with kept_folder(checkpoints) as folder:
        device = _train(module, folder, precision, settings.max_epochs)
    if peaks := peaks_by_rank():
        (log or _say_nothing)(peaks, module.progress.step)
    module.restore_best()
    put(network.trainable(), whole.trainable())
    # Lightning moves the module back to the CPU when it is done.
    whole.to(device).eval()
    progress = module.progress
    return Fitted(
        progress.best_epoch + 1,
        progress.best_metric,
        progress.step,
        progress.n_parts,
        module.measured_bytes,
    )


def _train(module: TeacherModule, folder: Path, precision: str, n_epochs: int) -> torch.device:
    """Run Lightning's loop, from the checkpoint in ``folder`` if there is one; say on what."""
    keep_last = ModelCheckpoint(
        dirpath=folder,
        filename=Path(_LAST).stem,
        save_top_k=1,
        enable_version_counter=False,
        save_on_train_epoch_end=True,
    )
    last = resumable_checkpoint(
        folder / _LAST, module.signature, lambda saved: str(saved["signature"])
    )
    last = whole_file(last, folder)
    showing = progress_of("train the teacher", "steps")
    accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    with lightning_quiet(), showing as line:
        trainer = Trainer(
            accelerator=accelerator,
            **placement(accelerator),
            precision=precision,  # type: ignore[arg-type]
            max_epochs=n_epochs,
            callbacks=[keep_last, ShownSteps(line)],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
        )
        with interruptible():
            trainer.fit(module, ckpt_path=last, weights_only=True)
    return trainer.strategy.root_device


def _validated(data: PreparedData, model: Recommender) -> Mapping[str, float]:
    return evaluate(model, data.val, data.catalog, data.train).metrics()


def _say_nothing(metrics: Mapping[str, float], step: int) -> None:
    """Log nowhere."""
