"""What a sweep is asked for: what is searched, how long, by how many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from recdistill.data import OnData
from recdistill.errors import require_least
from recdistill.lessons import Control  # noqa: TC001 - read by the parser
from recdistill.sweeps._address import require_no_password


@dataclass(frozen=True)
class SweepSettings(OnData):
    """What is searched, how long, by how many; conf/sweep.yaml says what each knob does."""

    baseline_run: str = "latest"
    teacher_run: str = "latest"
    transfer_run: str = ""
    control: Control = "none"
    stage: Literal["distill", "train_baseline"] = "distill"
    space: str = ""
    n_trials: int = 30
    workers: int = 2
    storage: str = ""
    study: str = ""
    join: str = ""
    objective: Literal["ndcg", "recall"] = "ndcg"
    cost: bool = False
    sampler: Literal["tpe", "random"] = "tpe"
    pruner: Literal["median", "hyperband", "none"] = "median"
    n_startup: int = 8
    n_seeds: int = 3
    threads: int = 1
    heartbeat_seconds: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("n_trials", "workers", "threads", "heartbeat_seconds"):
            require_least(name, getattr(self, name), 1)
        require_no_password(self.storage)
