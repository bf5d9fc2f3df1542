"""What the tests let several processes do; another process finds it by its name."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from recdistill.teachers import fit_teacher

if TYPE_CHECKING:
    import torch

    from recdistill.data import PreparedData
    from recdistill.ranks import Strategy
    from recdistill.teachers import TeacherNetwork, TrainingSettings

    Trained = tuple[dict[str, torch.Tensor], float]


def fit_by_each_strategy(
    network: TeacherNetwork, data: PreparedData, settings: TrainingSettings, **known: Any
) -> dict[Strategy, Trained]:
    strategies: tuple[Strategy, ...] = ("ddp", "fsdp")
    return {way: fitted(network, data, settings, strategy=way, **known) for way in strategies}


def fitted(
    network: TeacherNetwork, data: PreparedData, settings: TrainingSettings, **known: Any
) -> Trained:
    """Return what was learnt, and the validation NDCG@10 of the best epoch."""
    own = deepcopy(network)
    best = fit_teacher(own, data, settings, seed=3, **known).best_ndcg
    return {name: p.detach() for name, p in own.trainable().items()}, best
