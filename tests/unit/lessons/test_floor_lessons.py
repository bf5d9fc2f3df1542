"""Floors as a teacher: as if each had been asked alone, and then weighed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from recdistill.distillation import Teaching, distil_student
from recdistill.errors import UserError
from recdistill.lessons import collect_lessons, floor_lessons
from recdistill.students import StudentConfig
from recdistill.training import FitConfig, StudentRecipe
from tests.unit.lessons.cross_fitted import cross_fitted_scores

if TYPE_CHECKING:
    from pathlib import Path

    from recdistill.data import PreparedData


def test_one_floor_lists_what_it_would_list_alone(walks: PreparedData) -> None:
    lessons = floor_lessons(["markov"], walks, k=5, n_folds=3, seed=1)
    parts = cross_fitted_scores("markov", None, walks.train, walks.catalog, n_folds=3, seed=1)
    alone = collect_lessons(parts, walks.train, k=5)
    # Ties may be listed in any order; the true items' places say whether the lists agree.
    assert torch.equal(lessons.covered, alone.covered)
    asked = lessons.covered
    torch.testing.assert_close(lessons.distance[asked] > 0, alone.distance[asked] > 0)
    assert (lessons.items[lessons.covered][:, 0] > 0).all()


def test_several_floors_make_one_calibrated_list(walks: PreparedData) -> None:
    lessons = floor_lessons(["popularity", "markov", "counter"], walks, k=5, n_folds=3)
    mass = lessons.logits[lessons.covered].exp().sum(1)
    assert (mass <= 1 + 1e-5).all()
    # Next items lie one to three steps on; popularity knows nothing of it, the others do.
    assert lessons.distance[lessons.covered].eq(0).float().mean() > 0.15


def test_an_unknown_floor_is_named(walks: PreparedData) -> None:
    with pytest.raises(UserError, match="There is no floor 'elevator'"):
        floor_lessons(["elevator"], walks)


def test_a_student_learns_from_them_and_leaves_no_files(
    walks: PreparedData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    architecture = StudentConfig(dim=8, n_heads=1, n_blocks=1, max_length=10)
    recipe = StudentRecipe(architecture, loop=FitConfig(max_epochs=1))
    teaching = Teaching(floor_lessons(["counter"], walks), weights={"listwise": 1.0})
    fitted = distil_student(recipe, teaching, walks, seed=0)
    assert fitted.result.best["train/loss_listwise"] > 0
    assert not list(tmp_path.glob("**/*.ckpt"))
