"""What a distillation takes over from its baseline, and what it cannot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from recdistill.distillation import Teaching, distil_student
from recdistill.errors import UserError
from recdistill.students import StudentConfig
from recdistill.training import FitConfig, LossConfig, OptimizerConfig, StudentRecipe, fit_student

if TYPE_CHECKING:
    from recdistill.data import PreparedData
    from recdistill.lessons import Lessons

TOUCHED = StudentRecipe(
    StudentConfig(dim=8, n_blocks=1, max_length=12),
    LossConfig("mixed_softmax", n_negatives=4),
    FitConfig(max_epochs=1, tokens_per_batch=240, optimizer=OptimizerConfig(rows="touched")),
)


def test_terms_and_touched_rows_are_refused_together(walks: PreparedData, lessons: Lessons):
    with pytest.raises(UserError, match=r"a baseline that was trained with optimizer\.rows=all"):
        distil_student(TOUCHED, Teaching(lessons, {"listwise": 1.0}), walks, seed=0)


def test_without_terms_it_is_the_baseline_touched_rows_included(
    walks: PreparedData, lessons: Lessons
):
    alone = fit_student(TOUCHED, walks, seed=0).recommender.model
    taught = distil_student(TOUCHED, Teaching(lessons), walks, seed=0).recommender.model
    assert torch.equal(alone.item_table(), taught.item_table())


def test_terms_go_with_a_loss_against_drawn_items(walks: PreparedData, lessons: Lessons):
    every_row = replace(TOUCHED, loop=replace(TOUCHED.loop, optimizer=OptimizerConfig()))
    fitted = distil_student(every_row, Teaching(lessons, {"listwise": 1.0}), walks, seed=0)
    assert fitted.result.best["train/loss_listwise"] > 0
