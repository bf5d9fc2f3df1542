"""Several real processes give the student of one, and go on where one of them was killed."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from recdistill.data import Sequences
from recdistill.errors import UserError
from recdistill.ranks import Devices, current, together
from recdistill.students import StudentConfig
from recdistill.training import FitConfig, OptimizerConfig, StudentRecipe

from .killed import fit_in_doubles, fit_until_killed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from recdistill.data import PreparedData

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="one process ends another by signals"),
]

TWO = Devices(devices=2)
# Without dropout, which every rank draws for itself, nothing but the order of sums differs. A batch
# holds one long window or a few short ones: unequal shares, and often one rank has nothing to do.
RECIPE = StudentRecipe(
    StudentConfig(dim=16, n_blocks=1, max_length=12, dropout=0.0, item_start="random"),
    loop=FitConfig(
        max_epochs=2, tokens_per_batch=16, patience=0, optimizer=OptimizerConfig(lr=0.01)
    ),
)
# Of any weight, after a hundred steps in double precision.
TOLERANCE = 1e-9


class Log:
    def __init__(self) -> None:
        self.entries: list[dict[str, float]] = []

    def __call__(self, metrics: Mapping[str, float], epoch: int) -> None:
        self.entries.append({"epoch": epoch, **metrics})

    def values(self, name: str) -> list[float]:
        return [entry[name] for entry in self.entries if name in entry]


def weights(fitted: object) -> dict[str, torch.Tensor]:
    model = fitted.recommender.model  # type: ignore[attr-defined]
    return {name: p.detach() for name, p in model.named_parameters()}


def assert_alike(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> None:
    for name, tensor in one.items():
        torch.testing.assert_close(other[name], tensor, rtol=0, atol=TOLERANCE, msg=name)


@pytest.fixture
def few(walks: PreparedData) -> PreparedData:
    """Of thirty users: some 50 batches an epoch, of one window or a few."""
    end = walks.train.offsets[30]
    return replace(
        walks, train=Sequences(walks.train.items[:end], walks.train.offsets.clip(max=end))
    )


def test_two_processes_give_one_processs_student_even_where_one_was_killed(
    few: PreparedData,
    tmp_path: Path,
) -> None:
    folder, before = tmp_path / "two", Log()
    with pytest.raises(UserError, match=r"Rank 1 of 2 was ended by SIGKILL.*goes on from the last"):
        together(
            TWO,
            fit_until_killed,
            RECIPE,
            few,
            at_step=75,  # in the middle of the second epoch
            own={"log": before, "checkpoint_folder": folder},
        )
    assert before.values("epoch") == [1]
    shutil.copytree(folder, tmp_path / "one")
    alone = Log()
    uninterrupted = weights(fit_in_doubles(RECIPE, few, seed=0, log=alone))

    after = Log()
    resumed = together(
        TWO,
        fit_in_doubles,
        RECIPE,
        few,
        seed=0,
        own={"log": after, "checkpoint_folder": folder},
    )
    assert_alike(uninterrupted, weights(resumed))
    assert set(after.values("epoch")) == {2}
    for name in ("train/loss", "val/ndcg_at_10", "val/recall_at_10"):
        told = before.values(name) + after.values(name)  # by rank 0 alone
        assert told == pytest.approx(alone.values(name), rel=1e-4), name
    assert after.values("memory/rank1_peak_rss_mb")[0] > 100
    assert current() is None

    last = Log()
    resumed = fit_in_doubles(RECIPE, few, seed=0, log=last, checkpoint_folder=tmp_path / "one")
    assert last.values("epoch") == [2]
    assert_alike(uninterrupted, weights(resumed))
