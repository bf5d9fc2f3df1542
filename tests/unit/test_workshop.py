"""Models of an experiment are made as their words say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from benchmarks.distillation.models import Workshop
from benchmarks.distillation.settings import CONTROL, STUDENT, Contrast, Recipe, Setting
from recdistill.data import DataConfig, prepare
from recdistill.lessons import ViewsConfig

if TYPE_CHECKING:
    from pathlib import Path

    from recdistill.data import PreparedData

SMALL = ("--student.dim=16", "--max_epochs=2")
STANDING_STILL = ("--max_epochs=1", "--lr=1e-12")  # who starts somewhere, ends there


@pytest.fixture(scope="module")
def data() -> PreparedData:
    return prepare(DataConfig(dataset="ml-100k", max_users=40))


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), [("on_views", CONTROL), ("student", STUDENT)])
def test_a_student_starts_from_its_seeds_baseline_where_it_is_asked_to(
    kind: str, name: str, data: PreparedData, tmp_path: Path
) -> None:
    recipes = {"sasrec": Recipe("network", "sasrec", (SMALL,)), name: Recipe(kind, "sasrec", ((),))}  # type: ignore[arg-type]
    setting = Setting(recipes, ("ease",), ViewsConfig(n_views=2), Contrast(STUDENT, (), level=0.05))

    def weights(of: str, *words: str) -> torch.Tensor:
        chosen = {"sasrec": SMALL, name: words}
        model, _ = Workshop(data, setting, chosen, tmp_path, seed=3).make(of)
        return torch.cat([p.detach().flatten() for p in model.model.parameters()])  # type: ignore[attr-defined]

    baseline = weights("sasrec")
    warm = weights(name, *STANDING_STILL, "--warm_start=true")
    torch.testing.assert_close(warm, baseline)
    assert not torch.allclose(weights(name, *STANDING_STILL), baseline)
