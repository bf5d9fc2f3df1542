"""The Lightning module: one step, one optimizer, and nothing per step that can wait."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import torch
from torch.nn.utils import parametrize

from recdistill.ranks import current
from recdistill.students import encode_at
from recdistill.training._row_adamw import RowAdamW
from recdistill.training._step import Step
from recdistill.training._touched_rows import touched_table

if TYPE_CHECKING:
    from torch import Tensor

    from recdistill.students import SequentialModel
    from recdistill.training._batches import Batch
    from recdistill.training._config import OptimizerConfig
    from recdistill.training._step import Objective


class TrainingModule(pl.LightningModule):
    """Fits a student to an objective, at every real position.

    Parameters
    ----------
    model : SequentialModel
    objective : Objective
    config : OptimizerConfig
    n_steps : int
        Steps the schedule spans.
    seed : int
    """

    def __init__(
        self,
        model: SequentialModel,
        objective: Objective,
        config: OptimizerConfig,
        n_steps: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.model, self.objective = model, objective
        self.config, self.n_steps, self.seed = config, n_steps, seed
        self.sums: dict[str, tuple[Tensor | float, int]] = {}
        self.n_targets = 0
        self.began = (0.0, 0.0)
        self._epoch = -1

    def _begin_epoch(self) -> None:
        # What an epoch draws depends on the seed and its number alone, so a resumed run agrees.
        # Called from the step: Lightning leaves out its epoch-start hooks when it resumes.
        self._epoch = self.current_epoch
        # Ranks draw apart from each other; rank 0 as a process alone.
        group = current()
        torch.manual_seed(self.seed * 1_000_003 + self._epoch + (group.seed if group else 0))
        self.sums, self.n_targets = {}, 0
        self.began = (time.perf_counter(), time.process_time())

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the step's loss; sums for the epoch's means stay on the device."""
        if self.current_epoch != self._epoch:
            self._begin_epoch()
        real = batch.targets > 0
        # An item table made of parts (an id and a text) is put together once per step: input and
        # output then see the same one, dropped parts included.
        with parametrize.cached():
            states = encode_at(self.model, batch.items, batch.times)[real]  # [n_targets, dim]
            table, targets = self.model.item_table(), batch.targets[real]
        progress = self.global_step / self.n_steps
        total, means = self.objective(Step(states, table, targets, batch), progress)
        n_own = len(targets) if batch.share else 0
        for name, mean in means.items():
            self._add(name, mean, n_own)
        self.n_targets += n_own
        return total if batch.share == 1 else total * batch.share

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Average the gradients over the ranks, where there are some; once a step, however cut."""
        if group := current():
            group.average(self.parameters())

    def _add(self, name: str, value: Tensor, count: int) -> None:
        total, n = self.sums.get(name, (0.0, 0))
        self.sums[name] = (total + value.detach() * count, n + count)

    def epoch_means(self) -> dict[str, float]:
        """Mean of each loss over the epoch's targets, and what else the objective tells."""
        totals = [float(total) for total, _ in self.sums.values()]
        counts: list[float] = [n for _, n in self.sums.values()]
        if group := current():
            totals, counts = group.sums(totals), group.sums(counts)
        means = {
            f"train/{name}": total / n
            for name, total, n in zip(self.sums, totals, counts, strict=True)
        }
        return means | dict(self.objective.epoch_metrics())

    def configure_optimizers(self) -> Any:
        """AdamW over matrices with decay and vectors without, and the schedule per step."""
        config = self.config
        trained = [p for p in self.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": config.weight_decay},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ]
        kind = torch.optim.AdamW if touched_table(self.model) is None else RowAdamW
        optimizer = kind(groups, lr=config.lr, fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: rate_share(config, step, self.n_steps)
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def rate_share(config: OptimizerConfig, step: int, n_steps: int) -> float:
    """Return the learning rate of a step as a share of ``config.lr``."""
    n_warmup = config.warmup * n_steps
    if step < n_warmup:
        return (step + 1) / (n_warmup + 1)
    if config.schedule == "constant":
        return 1.0
    progress = min(1.0, (step - n_warmup) / max(1.0, n_steps - n_warmup))
    falling = 1 - progress
    if config.schedule == "cosine":
        falling = (1 + math.cos(math.pi * progress)) / 2
    return config.final_lr + (1 - config.final_lr) * falling
