"""A trial trains as the swept stage does: one epoch of a small student, no stage and no store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from projects import distill, train_baseline
from recdistill.distillation import StudentChanges, Teaching, distil_student
from recdistill.lessons import load_transfer_set, save_transfer_set
from recdistill.runs import RunReference
from recdistill.students import Architecture
from recdistill.sweeps._trainers import make_trainer
from recdistill.training import fit_student, save_recipe
from tests.unit.lessons.conftest import lessons, walks  # noqa: F401
from tests.unit.sweeps import toy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from recdistill.data import PreparedData
    from recdistill.lessons import Lessons
    from recdistill.training import StudentRecipe

pytestmark = pytest.mark.slow  # three trainings: some two seconds
BASELINE = train_baseline.Config(
    max_epochs=1, max_length=12, student=Architecture(dim=8, n_blocks=1)
)


class RunInFolder(RunReference):
    """A finished run whose files lie in a folder of its name."""

    def artifact(self, path: str) -> Path:
        return Path(self.id) / path


@dataclass(frozen=True)
class RunsInFolder:
    """Finds the runs in a folder."""

    folder: Path
    client: Any = None

    def find(self, reference: str, *stages: str, data: PreparedData | None = None) -> RunReference:
        return RunInFolder(str(self.folder / reference), reference, stages[0], {}, {}, {})


def _log(_metrics: Mapping[str, float], _step: int) -> None:
    pass


def _figures(best: Mapping[str, float]) -> dict[str, float]:
    found = {
        name: value
        for name, value in best.items()
        if name.startswith("val/") or name == "train/loss"
    }
    assert {"val/ndcg_at_10", "train/loss"} <= set(found)
    return found


@pytest.fixture
def recipe(tmp_path: Path) -> StudentRecipe:
    """The baseline's, saved as its run has it."""
    made = BASELINE.recipe("sasrec")
    save_recipe(made, tmp_path / "b" / "model")
    return made


@pytest.fixture
def trial(
    tmp_path: Path,
    walks: PreparedData,  # noqa: F811
) -> Callable[..., Mapping[str, float]]:
    """Train a trial of a stage's settings."""

    def train(stage: str, settings: Any, **changes: Any) -> Mapping[str, float]:
        trainer = make_trainer(toy.spec(stage=stage), settings, walks, RunsInFolder(tmp_path))
        return trainer(changes, log=_log, checkpoint_folder=tmp_path / "trial")

    return train


def test_a_trial_of_distill_learns_the_lists_by_its_own_settings(
    tmp_path: Path,
    walks: PreparedData,  # noqa: F811
    lessons: Lessons,  # noqa: F811
    recipe: StudentRecipe,
    trial: Callable[..., Mapping[str, float]],
) -> None:
    save_transfer_set(lessons, tmp_path / "t" / "transfer_set", walks)
    settings = distill.Config(baseline_run="b", teacher_run="none", transfer_run="t", top_k=3)
    found = trial("distill", settings, listwise_weight=0.7, loss_weight=0.5, lr=0.02, max_epochs=1)

    changed = StudentChanges(lr=0.02, max_epochs=1, dropout=0.0, label_smoothing=0.0)
    given = load_transfer_set(tmp_path / "t" / "transfer_set", walks).shortened(3)
    by_hand = distil_student(
        changed.applied_to(recipe),
        Teaching(given, {"listwise": 0.7}, loss_weight=0.5),
        walks,
        seed=settings.seed,
    )
    assert _figures(found) == _figures(by_hand.result.best)


def test_a_trial_of_the_baseline_is_its_training(
    walks: PreparedData,  # noqa: F811
    recipe: StudentRecipe,
    trial: Callable[..., Mapping[str, float]],
) -> None:
    by_hand = fit_student(recipe, walks, seed=BASELINE.seed)
    assert (
        trial("train_baseline", BASELINE)["val/ndcg_at_10"] == by_hand.result.best["val/ndcg_at_10"]
    )
