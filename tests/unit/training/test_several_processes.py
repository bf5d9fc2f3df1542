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
from recdistill.training import FitConfig, OptimizerConfig, StudentRecipe, fit_student

from .killed import fit_until_killed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from recdistill.data import PreparedData

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="one process ends another by signals"),
]

TWO = Devices(devices=2)
# Without dropout, which every rank draws for itself, nothing but the order of sums differs.
RECIPE = StudentRecipe(
    StudentConfig(dim=16, n_blocks=1, max_length=12, dropout=0.0),
    loop=FitConfig(
        max_epochs=2, tokens_per_batch=240, patience=0, optimizer=OptimizerConfig(lr=0.01)
    ),
)
# Of any weight, after 2 epochs: single precision rounds sums of 240 targets at some 1e-6.
TOLERANCE = 2e-5


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


def test_processes_that_share_batches_give_one_processs_student(
    walks: PreparedData,
    tmp_path: Path,
) -> None:
    # Batches of one window or a few: unequal shares, and often one process has nothing to do.
    end = walks.train.offsets[30]
    few = Sequences(walks.train.items[:end], walks.train.offsets.clip(max=end))
    data = replace(walks, train=few)
    recipe = replace(RECIPE, loop=replace(RECIPE.loop, tokens_per_batch=16, max_epochs=1))
    alone, logged = Log(), Log()
    one = fit_student(recipe, data, seed=0, log=alone)
    several = together(
        TWO,
        fit_student,
        recipe,
        data,
        seed=0,
        own={"log": logged, "checkpoint_folder": tmp_path},
    )
    assert_alike(weights(one), weights(several))
    for name in ("train/loss", "val/ndcg_at_10", "val/recall_at_10"):
        assert logged.values(name) == pytest.approx(alone.values(name), rel=1e-4), name
        assert len(logged.values(name)) == 1  # rank 0 alone tells
    assert logged.values("memory/rank1_peak_rss_mb")[0] > 100
    assert current() is None


def test_a_killed_rank_ends_in_a_sentence_and_any_number_of_processes_goes_on(
    walks: PreparedData,
    tmp_path: Path,
) -> None:
    folder, before = tmp_path / "two", Log()
    with pytest.raises(UserError, match=r"Rank 1 of 2 was ended by SIGKILL.*goes on from the last"):
        together(
            TWO,
            fit_until_killed,
            RECIPE,
            walks,
            at_step=15,  # in the second epoch: one has 11 steps
            own={"log": before, "checkpoint_folder": folder},
        )
    assert before.values("epoch") == [1]
    shutil.copytree(folder, tmp_path / "one")
    uninterrupted = weights(fit_student(RECIPE, walks, seed=0))

    after = Log()
    resumed = together(
        TWO,
        fit_student,
        RECIPE,
        walks,
        seed=0,
        own={"log": after, "checkpoint_folder": folder},
    )
    assert set(after.values("epoch")) == {2}
    assert_alike(uninterrupted, weights(resumed))

    alone = Log()
    resumed = fit_student(RECIPE, walks, seed=0, log=alone, checkpoint_folder=tmp_path / "one")
    assert alone.values("epoch") == [2]
    assert_alike(uninterrupted, weights(resumed))
