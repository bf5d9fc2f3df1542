"""Learning rates: which part learns how fast, and when."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from recdistill.teachers._network import TeacherNetwork
    from recdistill.teachers._training_settings import OptimizerSettings

_FLOOR = 0.01


def warmup_cosine(n_steps: int, warmup: float) -> Callable[[int], float]:
    """Return the factor on the learning rate at a step, as in iLoRA.

    Linear from a hundredth to one over the first ``warmup`` share of ``n_steps``, then half a
    cosine back to a hundredth.
    """
    n_warmup = max(int(n_steps * warmup), 1)

    def factor(step: int) -> float:
        if step < n_warmup:
            return _FLOOR + (1 - _FLOOR) * step / n_warmup
        share = min((step - n_warmup) / max(n_steps - n_warmup, 1), 1.0)
        return _FLOOR + (1 - _FLOOR) * 0.5 * (1 + math.cos(math.pi * share))

    return factor


def parameter_groups(network: TeacherNetwork, rates: OptimizerSettings) -> list[dict[str, Any]]:
    """Split the trainable parameters into adapter, router, and projector with head.

    Weight decay is on matrices of the head and projector only: the paper decays neither adapter
    nor biases, and decaying an item's own vector would pull rare items towards zero twice.
    """
    adapter, router, decayed, plain = [], [], [], []
    for name, p in network.trainable().items():
        if name.startswith("peft."):
            adapter.append(p)
        elif name.startswith("router."):
            router.append(p)
        elif p.dim() > 1 and name != "head.free.weight":
            decayed.append(p)
        else:
            plain.append(p)
    groups = [
        {"params": adapter, "lr": rates.lr, "weight_decay": 0.0},
        {"params": router, "lr": rates.router_lr, "weight_decay": 0.0},
        {"params": decayed, "lr": rates.head_lr, "weight_decay": rates.weight_decay},
        {"params": plain, "lr": rates.head_lr, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
