"""The models of an experiment as rows of a table, and the test between two of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import pandas as pd

from benchmarks import baselines
from benchmarks.distillation.run import RESULTS, SHORTER
from benchmarks.distillation.settings import (
    BASELINE,
    CONTROL,
    POOL,
    SETTINGS,
    STUDENT,
    WITH_TEXT,
)
from recdistill.evaluation import NOTHING_DRAWN, boil_down, compare_recipes, outcome

if TYPE_CHECKING:
    from pathlib import Path

    from recdistill.evaluation import Metric, RecipeTest, Trainings

FEWEST_SEEDS = 3  # a side, before a table speaks of methods


@dataclass(frozen=True)
class Row:
    """All trainings of one recipe.

    Attributes
    ----------
    said : str
    files : tuple of Path
        Per-user ranks, one file per training.
    drawn : bool
        Whether another seed would make another model.
    """

    said: str
    files: tuple[Path, ...]
    drawn: bool = True

    def trainings(self, metric: Metric) -> Trainings:
        """Read every training's outcomes."""
        return _trainings(self.files, metric)


@cache
def _trainings(files: tuple[Path, ...], metric: Metric) -> Trainings:
    # Whose target was which item may not be redistributed, and no outcome depends on it.
    return boil_down(outcome(pd.read_parquet(f).assign(target=0), metric) for f in files)


def versus(row: Row, other: Row, metric: Metric) -> RecipeTest | None:
    """Test two recipes over users and trainings; None where a side's seed noise is unknown."""
    sides = (row, other)
    if any(r.drawn and len(r.files) < 2 for r in sides):
        return None
    noises = [None if r.drawn else NOTHING_DRAWN for r in sides]
    a, b = (r.trainings(metric) for r in sides)
    return compare_recipes(a, b, noise_a=noises[0], noise_b=noises[1])


@dataclass(frozen=True)
class Experiment:
    """Rows that belong together, and what decides among them.

    Attributes
    ----------
    rows : dict of Row
        By the name of their files.
    baseline, student : str
    others : tuple of str
        What the student must beat, each of it.
    level : float
    """

    rows: dict[str, Row]
    baseline: str
    student: str
    others: tuple[str, ...]
    level: float

    @property
    def decided(self) -> bool:
        """Whether every recipe that decides has enough trainings."""
        names = (self.student, *self.others)
        rows = [self.rows.get(name) for name in names]
        return all(
            row is not None and len(row.files) >= (FEWEST_SEEDS if row.drawn else 1) for row in rows
        )


def shorter(dataset: str) -> Experiment:
    """Read the models of settings that were chosen until a trial of a longer one was there."""
    return planned(dataset, SHORTER)


def planned(dataset: str, results: Path = RESULTS) -> Experiment:
    """Read what is there of the experiment that ``settings.py`` plans."""
    setting, folder = SETTINGS[dataset], results / dataset
    said = {
        BASELINE: "baseline (SASRec)",
        WITH_TEXT: "SASRec with texts",
        CONTROL: "baseline on the student's views, without lessons",
        "gru4rec": "GRU4Rec",
        "counter": "skip-gram counter",
        POOL: "teachers: networks and floors, a pool per seed",
        STUDENT: "**student** of networks and floors",
    }
    rows = {}
    for name, words in said.items():
        if files := tuple(sorted(folder.glob(f"{name}-s[0-9]*.parquet"))):
            rows[name] = Row(words, files, drawn=name != "counter")
    contrast = setting.contrast
    return Experiment(rows, BASELINE, contrast.student, contrast.others, contrast.level)


def before_rotary(dataset: str) -> Experiment:
    """Read the models of the code before rotary positions; what decides was set afterwards."""
    folder = baselines.BEFORE_ROTARY / "distillation" / dataset
    networks = baselines.BEFORE_ROTARY / "baselines" / dataset
    floors = baselines.RESULTS / dataset
    found: dict[str, tuple[str, list[tuple[Path, str]]]] = {
        "sasrec": ("baseline (SASRec)", [(networks, "sasrec-s*"), (folder, "baseline-s*")]),
        CONTROL: (
            "baseline on the student's views, without lessons",
            [(folder, "untaught-on-views-s*")],
        ),
        "gru4rec": ("GRU4Rec", [(floors, "gru4rec-s*")]),
        "counter": ("skip-gram counter", [(floors, "counter-s*")]),
    }
    for teacher in _teachers(folder):
        words = teacher.replace("-", " ").replace("all language", "all, language")
        # All students of these teachers share one pool and one draw of views.
        found[f"teacher-{teacher}"] = (
            f"teachers: {words}, one pool",
            [(folder, f"teacher-{teacher}")],
        )
        found[f"student-{teacher}"] = (
            f"**student** of {words}",
            [(folder, f"student-{teacher}-s*")],
        )
    for file in sorted(folder.glob("student-tried-*-s0.parquet")):
        name = file.stem.removesuffix("-s0")
        words = name.removeprefix("student-tried-").replace("-", " ")
        found[name] = (f"tried: {words}", [(folder, f"{name}-s*")])
    rows = {}
    for name, (said, places) in found.items():
        files = tuple(f for at, pattern in places for f in sorted(at.glob(f"{pattern}.parquet")))
        if files:
            rows[name] = Row(said, files, drawn=name != "counter")
    contrast = SETTINGS[dataset].contrast
    return Experiment(rows, BASELINE, STUDENT, contrast.others, contrast.level)


def _teachers(folder: Path) -> list[str]:
    """Name the pools, the first one first, then as many members as they have."""
    files = sorted(folder.glob("teacher-*.json"))
    members = {f.stem.removeprefix("teacher-"): json.loads(f.read_text())["weights"] for f in files}
    first = STUDENT.removeprefix("student-")
    return sorted(members, key=lambda name: (name != first, len(members[name]), name))
