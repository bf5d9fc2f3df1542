"""Fits that update the rows that a batch touched: whole, killed, and refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from recdistill.errors import UserError
from recdistill.students import STUDENT_KINDS, build_student, item_embedding
from recdistill.texts import ItemVectors
from recdistill.training import (
    FitConfig,
    LossConfig,
    OptimizerConfig,
    Softmax,
    StudentRecipe,
    fit,
    fit_student,
    loss_for,
)

from .test_fit import STUDENT, Killed, _timeless

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from recdistill.data import PreparedData
    from recdistill.students import StudentKind

TOUCHED = OptimizerConfig(lr=0.01, rows="touched")
LOOP = FitConfig(max_epochs=3, tokens_per_batch=240, patience=0, optimizer=TOUCHED)
RECIPE = StudentRecipe(STUDENT, LossConfig("mixed_softmax", n_negatives=4), LOOP)


@pytest.mark.parametrize("loss", ["mixed_softmax", "gbce"])
def test_a_fit_of_touched_rows_learns_and_leaves_a_plain_student(walks: PreparedData, loss: str):
    recipe = replace(RECIPE, loss=LossConfig(loss, n_negatives=4))  # type: ignore[arg-type]
    fitted = fit_student(recipe, walks, seed=0)
    first, *_, last = fitted.result.history
    assert last["train/loss"] < first["train/loss"]
    assert last["val/ndcg_at_10"] > 0.3, "chance is 0.15"
    assert not item_embedding(fitted.recommender.model).sparse


@pytest.mark.parametrize("kind", STUDENT_KINDS)
def test_a_step_moves_the_rows_that_it_looked_up_and_no_others(
    walks: PreparedData, kind: StudentKind
):
    few = replace(walks.train, items=np.minimum(walks.train.items, 5).astype(np.int32))
    data = replace(walks, train=few)
    model = build_student(replace(STUDENT, kind=kind), data.catalog.n_items, seed=0)
    before = model.item_table().detach().clone()
    one_epoch = replace(LOOP, max_epochs=1, ema_decay=0.0)
    drawn_alike = np.where(np.arange(31) <= 5, 10**9, 0)  # in effect none but the first five
    recipe = replace(RECIPE, loop=one_epoch)
    fit(model, loss_for(recipe, model, drawn_alike), data, one_epoch, seed=0)
    moved = (model.item_table() != before).any(1)
    assert moved.nonzero().squeeze(1).tolist() == [1, 2, 3, 4, 5]


def test_killed_and_resumed_it_ends_equal_to_the_bit(walks: PreparedData, tmp_path: Path):
    def log(metrics: Mapping[str, float], epoch: int) -> None:
        if epoch == 2:
            raise Killed

    whole = fit_student(RECIPE, walks, seed=0, checkpoint_folder=tmp_path / "whole")
    with pytest.raises(Killed):
        fit_student(RECIPE, walks, seed=0, log=log, checkpoint_folder=tmp_path / "cut")
    resumed = fit_student(RECIPE, walks, seed=0, checkpoint_folder=tmp_path / "cut")
    assert _timeless(resumed.result.history) == _timeless(whole.result.history)
    weights = resumed.recommender.model.state_dict()
    for name, weight in whole.recommender.model.state_dict().items():
        assert torch.equal(weight, weights[name]), name
    every_row = replace(LOOP, optimizer=replace(TOUCHED, rows="all"))
    with pytest.raises(UserError, match="other settings"):
        fit_student(
            replace(RECIPE, loop=every_row), walks, seed=0, checkpoint_folder=tmp_path / "cut"
        )


def test_a_killed_fit_leaves_the_look_ups_as_they_were(walks: PreparedData):
    class Dying:
        sparse = True

        def __call__(self, *args: object) -> torch.Tensor:
            raise Killed

    model = build_student(STUDENT, walks.catalog.n_items, seed=0)
    with pytest.raises(Killed):
        fit(model, Dying(), walks, LOOP, seed=0)
    assert not item_embedding(model).sparse


def test_a_loss_that_moves_every_row_is_refused(walks: PreparedData):
    model = build_student(STUDENT, walks.catalog.n_items, seed=0)
    with pytest.raises(UserError, match=r"optimizer\.rows is 'touched', but the loss gives every"):
        fit(model, Softmax(), walks, LOOP, seed=0)


@pytest.mark.parametrize(
    ("loss", "reason"),
    [
        (LossConfig("softmax"), "compares with every item: set"),
        (LossConfig("mixed_softmax", n_negatives=30), "as many as the 30 items: set"),
    ],
)
def test_losses_against_everything_are_refused(walks: PreparedData, loss: LossConfig, reason: str):
    with pytest.raises(UserError, match=reason):
        fit_student(replace(RECIPE, loss=loss), walks, seed=0)


def test_texts_in_every_row_are_refused(walks: PreparedData):
    drawn = np.random.default_rng(0).normal(size=(31, 6)).astype(np.float32)
    vectors = ItemVectors(drawn, walks.catalog.digest, {"encoder": "drawn"})
    recipe = replace(RECIPE, architecture=replace(STUDENT, item="id+text"))
    with pytest.raises(UserError, match=r"set optimizer\.rows=all, or student\.item=id"):
        fit_student(recipe, walks, seed=0, vectors=vectors)
