"""How a teacher is trained: the knobs of the loop."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Coverage = Literal["newest", "all"]

Precision = Literal["auto", "32-true", "bf16-mixed", "16-mixed"]


@dataclass(frozen=True)
class OptimizerSettings:
    """Rates of AdamW.

    Attributes
    ----------
    lr, router_lr, head_lr : float
        For the adapter; for the router; for projector and head. All follow one schedule: linear
        warm-up from a hundredth over the first ``warmup`` of the steps, then a cosine back to it.
    weight_decay : float
        On matrices of projector and head only.
    clip : float
        Largest norm of a step's gradient.
    """

    lr: float = 5e-4
    router_lr: float = 3e-4
    head_lr: float = 5e-4
    weight_decay: float = 0.01
    warmup: float = 0.05
    clip: float = 1.0


@dataclass(frozen=True)
class TrainingSettings:
    """How a teacher is trained; each of these is a parameter of ``train_teacher``.

    Attributes
    ----------
    batch : int
        Padded tokens per optimiser step.
    windows : {"newest", "all"}
        Every user's newest window, or the whole history.
    patience : int
        Epochs without a better validation NDCG@10 before training stops.
    ema : float
        Decay of the running average of the trainable weights, which is what is validated and
        kept; 0 keeps the weights of the last step instead.
    precision : {"auto", "32-true", "bf16-mixed", "16-mixed"}
        ``auto``: bfloat16 where the device computes in it, else 32-bit on a CPU and float16 with a
        loss scaler on a GPU. Trainable weights are 32-bit in all of them.
    checkpointing : bool
        Recompute activations in the backward: about a third more time for a fraction of the
        memory.
    """

    max_epochs: int = 5
    patience: int = 2
    batch: int = 512
    windows: Coverage = "newest"
    ema: float = 0.98
    precision: Precision = "auto"
    matmul_precision: Literal["highest", "high", "medium"] = "high"
    checkpointing: bool = False
    report_seconds: float = 20.0
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
