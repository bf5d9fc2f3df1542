"""Run the training and hand back the best epoch."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint

from recdistill.progress import progress_of
from recdistill.teachers._precision import resolve_precision
from recdistill.teachers._training import TeacherModule
from recdistill.training import ShownSteps, interruptible, resumable_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from recdistill.data import PreparedData
    from recdistill.teachers._network import TeacherNetwork
    from recdistill.teachers._recommender import TeacherRecommender
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
    validate: Callable[[TeacherRecommender], Mapping[str, float]],
    log: Callable[[Mapping[str, float], int], None],
    checkpoints: Path,
    seed: int = 0,
    n_parts: int = 1,
    watch_memory: bool = False,
) -> Fitted:
    """Train a teacher and leave the best epoch's weights in the network.

    Parameters
    ----------
    network : TeacherNetwork
        Its language model loaded in the format ``resolve_precision`` gave.
    validate : callable
        Takes the recommender, returns metrics with the key ``ndcg_at_10``.
    log : callable
        Takes metrics and the optimiser step.
    checkpoints : Path
        Every epoch's end is kept here; when a checkpoint is found, training goes on from it and
        ends as if it had never stopped.
    n_parts : int
        Pieces a step is cut into from the start; out of memory doubles it.
    watch_memory : bool
        Measure what the first step, which is the largest, takes.

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
    module = TeacherModule(
        network,
        data.train,
        settings,
        validate,
        log,
        catalog_digest=data.catalog.digest,
        seed=seed,
        n_parts=n_parts,
        watch_memory=watch_memory,
    )
    keep_last = ModelCheckpoint(
        dirpath=checkpoints,
        filename=Path(_LAST).stem,
        save_top_k=1,
        enable_version_counter=False,
        save_on_train_epoch_end=True,
    )
    last = resumable_checkpoint(
        checkpoints / _LAST, module.signature, lambda saved: str(saved["signature"])
    )
    showing = progress_of("train the teacher", "steps")
    with warnings.catch_warnings(), _lightning_quiet(), showing as line:
        # The loader is a handful of index operations; worker processes would only cost memory.
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        warnings.filterwarnings("ignore", ".*exists and is not empty.*")
        warnings.filterwarnings("ignore", ".*in eval mode at the start of training.*")
        warnings.filterwarnings("ignore", ".*LeafSpec.*")  # Lightning's own, about PyTorch
        trainer = Trainer(
            accelerator="gpu" if torch.cuda.is_available() else "cpu",
            devices=1,
            precision=precision,  # type: ignore[arg-type]
            max_epochs=settings.max_epochs,
            callbacks=[keep_last, ShownSteps(line)],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
        )
        with interruptible():
            trainer.fit(module, ckpt_path=last, weights_only=True)
    module.restore_best()
    # Lightning moves the module back to the CPU when it is done.
    network.to(trainer.strategy.root_device).eval()
    progress = module.progress
    return Fitted(
        progress.best_epoch + 1,
        progress.best_metric,
        progress.step,
        progress.n_parts,
        module.measured_bytes,
    )


@contextmanager
def _lightning_quiet() -> Iterator[None]:
    """Silence Lightning's banners about devices and tips."""
    logger = logging.getLogger("pytorch_lightning")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
