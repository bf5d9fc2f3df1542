"""Run one real training step and measure it."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING, Any, Literal

import torch

from recdistill.errors import UserError
from recdistill.memory._rehearsal import (
    fill_optimizer_state,
    half_precision,
    make_optimizer,
    state_tensors,
)
from recdistill.memory._step import StepBuilder, TrainingStep, decoder_step
from recdistill.memory._watch import CpuWatch, CudaWatch, Measurement

if TYPE_CHECKING:
    from pathlib import Path

    from recdistill.memory._settings import MemorySettings

Loop = Literal["plain", "lightning"]


def measure(
    settings: MemorySettings,
    build: StepBuilder = decoder_step,
    *,
    loop: Loop = "plain",
    snapshot: Path | None = None,
) -> Measurement:
    """Run the step in this process and return its peaks.

    The optimizer's state is made first, so the step measured is like every later one. Better
    called through :func:`recdistill.memory.probe`, which gives it a process of its own.

    Raises
    ------
    UserError
        When ``device=cuda`` and there is none.
    """
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise UserError("device=cuda but PyTorch sees no CUDA device: run doctor, or device=cpu.")
    if settings.quant != "none":
        raise UserError(
            "quant is planned, not probed: load the quantised base in train_teacher, whose own "
            "run logs its peak, or probe with quant=none."
        )
    step = build(settings, torch.device(settings.device))
    optimizer = make_optimizer(step.trainable, settings)
    fill_optimizer_state(optimizer)
    held = [torch.zeros_like(p) for _ in range(settings.copies) for p in step.trainable]
    model = step.model
    watch: CpuWatch | CudaWatch
    if settings.device == "cuda":
        watch = CudaWatch(snapshot)
    else:
        resident = [*model.parameters(), *model.buffers(), *state_tensors(optimizer), *held]
        watch = CpuWatch(resident)
        resident.clear()
    run = _plain if loop == "plain" else _lightning
    measurement = run(step, optimizer, settings, watch)
    del held  # until here
    return measurement


def _plain(
    step: TrainingStep, optimizer: torch.optim.Optimizer, settings: MemorySettings, watch: Any
) -> Measurement:
    half = half_precision(settings)
    precision = torch.autocast(settings.device, half) if half else nullcontext()
    watch.begin()
    watch.mark("forward")
    with step.around():
        with precision:
            loss = step.loss()
        watch.mark("backward")
        loss.backward()  # type: ignore[no-untyped-call]
    del loss
    watch.mark("optimizer")
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    measurement: Measurement = watch.end()
    return measurement


def _lightning(
    step: TrainingStep, optimizer: torch.optim.Optimizer, settings: MemorySettings, watch: Any
) -> Measurement:
    """Run the same step inside Lightning's loop and measure its second batch."""
    import pytorch_lightning as pl

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.inner = step.model
            self.open = ExitStack()
            self.measurement: Measurement | None = None

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return optimizer

        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            if index == 1:
                watch.begin()
                watch.mark("forward")
            self.open.enter_context(step.around())
            return step.loss()

        def on_before_backward(self, loss: torch.Tensor) -> None:
            if self.global_step == 1:
                watch.mark("backward")

        def on_after_backward(self) -> None:
            self.open.close()
            if self.global_step == 1:
                watch.mark("optimizer")

        def on_train_batch_end(self, outputs: Any, batch: Any, index: int) -> None:
            if index == 1:
                self.measurement = watch.end()

    half = {"bf16": "bf16-mixed", "fp16": "16-mixed", "fp32": "32-true"}[settings.precision]
    module = Module()
    trainer = pl.Trainer(
        max_steps=2,
        accelerator="gpu" if settings.device == "cuda" else "cpu",
        devices=1,
        precision=half,  # type: ignore[arg-type]
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    rows = torch.utils.data.TensorDataset(torch.zeros(2, 1))
    batches: Any = torch.utils.data.DataLoader(rows)
    trainer.fit(module, batches)
    if module.measurement is None:
        raise RuntimeError("Lightning's loop ended before its second step")
    return module.measurement
