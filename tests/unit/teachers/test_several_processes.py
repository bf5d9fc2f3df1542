"""Two real processes give the teacher of one, whole on each or with its frozen part shared out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
import torch

from recdistill.ranks import Devices, together
from recdistill.teachers import OptimizerSettings, TrainingSettings

from .conftest import make_network
from .fitted_together import fit_by_each_strategy, fitted

if TYPE_CHECKING:
    from recdistill.data import PreparedData

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="gloo finds the loopback by its name"),
]

SETTINGS = TrainingSettings(
    max_epochs=1,
    batch=100,
    optimizer=OptimizerSettings(lr=0.01, head_lr=0.02),
    ema=0.5,
    precision="32-true",
)
# Of any weight: sums are added in another order, and Adam divides small gradients by themselves.
TOLERANCE = 1e-4


def test_two_processes_give_one_processs_teacher(prepared: PreparedData) -> None:
    network = make_network(move=False)
    weights, ndcg = fitted(network, prepared, SETTINGS)
    # Every rank cuts its share of a step into two pieces, too.
    several = together(
        Devices(devices=2), fit_by_each_strategy, network, prepared, SETTINGS, n_parts=2
    )
    for way, (those, its_ndcg) in several.items():
        assert its_ndcg == pytest.approx(ndcg, abs=1e-3), way
        for name, p in weights.items():
            torch.testing.assert_close(those[name], p, rtol=0, atol=TOLERANCE, msg=f"{way} {name}")
