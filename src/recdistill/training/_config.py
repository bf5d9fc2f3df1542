"""How a student is fitted: the knobs, each checked when it is set."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from recdistill.errors import require, require_choice, require_least

Schedule = Literal["constant", "cosine", "linear"]
LossKind = Literal["softmax", "sampled_softmax", "mixed_softmax", "gbce", "bce"]
UpdatedRows = Literal["all", "touched"]
Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW and its learning rate over time.

    Attributes
    ----------
    lr : float
        Highest learning rate.
    weight_decay : float
        Decoupled decay of the matrices; biases and norms are spared.
    warmup : float
        Share of all planned steps over which the rate rises linearly from zero.
    schedule : "constant", "cosine" or "linear"
        What follows the warm-up, down to ``final_lr`` of ``lr`` at ``max_epochs``.
    final_lr : float
        Share of ``lr`` left at the end; "constant" ignores it.
    rows : "all" or "touched"
        Rows of the item table that a step updates. "touched": those that the batch looked up; the
        others' moments, decay and average wait until they are (``RowAdamW``), so a step costs what
        it touches and not the table. Only losses against drawn items can.
    """

    lr: float = 2e-3
    weight_decay: float = 0.01
    warmup: float = 0.05
    schedule: Schedule = "cosine"
    final_lr: float = 0.0
    rows: UpdatedRows = "all"

    def __post_init__(self) -> None:
        require(self.lr > 0, f"optimizer.lr is {self.lr}; it must be positive.")
        require(self.weight_decay >= 0, "optimizer.weight_decay must not be negative.")
        for name in ("warmup", "final_lr"):
            value = getattr(self, name)
            require(0 <= value <= 1, f"optimizer.{name} is {value}; it is a share from 0 to 1.")
        require_choice("optimizer.schedule", self.schedule, Schedule)
        require_choice("optimizer.rows", self.rows, UpdatedRows)


@dataclass(frozen=True, kw_only=True)
class LossOptions:
    """What one kind of loss alone asks.

    Attributes
    ----------
    gbce_t : float
        Calibration of gBCE from 0 (plain BCE) to 1 (unbiased probabilities).
    sampling_power : float
        ``sampled_softmax`` and ``mixed_softmax`` draw items in proportion to
        ``(count + 1) ** sampling_power``.
    label_smoothing : float
        ``softmax`` only: share of the target's mass spread over the catalog.
    """

    gbce_t: float = 0.75
    sampling_power: float = 0.5
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        require(0 <= self.gbce_t <= 1, f"loss.gbce_t is {self.gbce_t}; it must be in [0, 1].")
        require(self.sampling_power >= 0, "loss.sampling_power must not be negative.")
        require(0 <= self.label_smoothing < 1, "loss.label_smoothing must be in [0, 1).")


@dataclass(frozen=True)
class LossConfig(LossOptions):
    """What the student is fitted to.

    Attributes
    ----------
    kind : "softmax", "sampled_softmax", "mixed_softmax", "gbce" or "bce"
        ``softmax`` compares each target with the whole catalog and is best up to some ten
        thousand items; the others compare with ``n_negatives`` drawn items, ``mixed_softmax``
        with what others of the batch took as well.
    n_negatives : int
        Drawn items per target (``bce``, ``gbce``) or per batch (``sampled_softmax``,
        ``mixed_softmax``).
    """

    kind: LossKind = "softmax"
    n_negatives: int = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("loss.kind", self.kind, LossKind)
        require(self.n_negatives >= 1, "loss.n_negatives must be at least 1.")


@dataclass(frozen=True)
class FitConfig:
    """How long and in which portions a student is fitted.

    Attributes
    ----------
    max_epochs : int
        Passes over all targets; the learning rate schedule spans them.
    tokens_per_batch : int
        Upper bound on windows times window length of a batch. Small batches learn more per target:
        on ML-1M two epochs at 1,600 validated about as well as four at 3,200 (one seed).
    ema_decay : float
        Averaging of the weights per step; 0 keeps the raw weights. Validation, early stopping and
        the returned model use the averaged ones.
    validate_every : int
        Epochs between validations.
    patience : int
        Validations without a better NDCG@10 before fitting stops; 0 never stops early.
    device : "auto", "cpu" or "cuda"
        "auto" takes CUDA where present. CUDA runs in bfloat16 autocast, a CPU in float32.
    """

    max_epochs: int = 30
    tokens_per_batch: int = 1_600
    ema_decay: float = 0.99
    validate_every: int = 1
    patience: int = 5
    device: Device = "auto"
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)

    def __post_init__(self) -> None:
        for name in ("max_epochs", "tokens_per_batch", "validate_every"):
            value = getattr(self, name)
            require_least(name, value, 1)
        require(0 <= self.ema_decay < 1, f"ema_decay is {self.ema_decay}; it must be in [0, 1).")
        require(self.patience >= 0, f"patience is {self.patience}; it must not be negative.")
        require_choice("device", self.device, Device)
