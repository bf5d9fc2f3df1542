"""The baseline table of docs/results.md: floors and SASRec, all users, several seeds.

    python -m benchmarks.baselines run ml-100k ml-1m-sasrec   # resumable; about an hour in all
    python -m benchmarks.baselines table                      # only write the tables anew

`run` trains what has no per-user table yet, with the settings of `train_baseline -P preset=full`,
and meets test data once per model. The per-user tables are committed: every figure and test of the
page is computed from them.
"""

from __future__ import annotations

import itertools
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmarks.pages import Block
from projects.train_baseline import Config, student_kind
from recdistill.config import parse
from recdistill.data import DataConfig, PreparedData, prepare
from recdistill.evaluation import (
    NOTHING_DRAWN,
    boil_down,
    compare_recipes,
    evaluate,
    hits_interval,
    outcome,
)
from recdistill.floors import FLOOR_KINDS, fit_floor
from recdistill.students import STUDENT_KINDS
from recdistill.training import fit_student

if TYPE_CHECKING:
    from recdistill.evaluation import Metric, RecipeTest
    from recdistill.students import StudentRecommender

RESULTS = Path(__file__).parent / "results" / "baselines"
# Models of the code in which SASRec's positions counted from the newest item: until 1ca3307.
BEFORE_ROTARY = RESULTS.parent / "before-rotary"
PAGE = "docs/results.md"
SEEDS = (0, 1, 2)
# What the preset said when these files were made, and no longer says.
PRESET_THEN = {"ml-100k": ("--student.dropout=0.4",)}
KEPT = ["user", "history_length", "n_above", "n_tied", "n_above_unmasked", "n_tied_unmasked"]


def settings(dataset: str, model: str, seed: int) -> Config:
    """Resolve the stage's own settings for the full preset."""
    words = ["--dataset", dataset, "--preset", "full", "--model", model, "--seed", str(seed)]
    words += PRESET_THEN.get(dataset, ()) if model in STUDENT_KINDS else ()
    if model == "gru4rec":
        words += ["--student.n_blocks", "1", "--loss_options.label_smoothing", "0"]
    return parse(Config, "train_baseline", words)


def train(config: Config, data: PreparedData) -> StudentRecommender:
    """Fit a student as the stage does."""
    return fit_student(config.recipe(student_kind(config)), data, seed=config.seed).recommender


def run(dataset: str) -> None:
    """Evaluate what has no table yet."""
    data = prepare(DataConfig(dataset=dataset))
    for kind in FLOOR_KINDS:
        keep(dataset, f"{kind}-s0", data, partial(fit_a_floor, dataset, kind, data))
    students = ["sasrec", "gru4rec"] if dataset == "ml-100k" else ["sasrec"]
    for model, seed in itertools.product(students, SEEDS):
        config = settings(dataset, model, seed)
        keep(dataset, f"{model}-s{seed}", data, partial(train, config, data))


def fit_a_floor(dataset: str, kind: str, data: PreparedData):  # type: ignore[no-untyped-def]
    """Fit a floor with the stage's settings."""
    config = settings(dataset, kind, 0)
    return fit_floor(kind, data.train, data.catalog, getattr(config, kind, None))


def keep(dataset: str, name: str, data: PreparedData, make) -> None:  # type: ignore[no-untyped-def]
    """Write the per-user table of one model, once."""
    path = RESULTS / dataset / f"{name}.parquet"
    if path.is_file():
        return
    per_user = evaluate(make(), data.test, data.catalog, data.train).per_user
    path.parent.mkdir(parents=True, exist_ok=True)
    per_user[KEPT].to_parquet(path, compression="zstd")
    print(dataset, name, f"{outcome(per_user).mean():.4f}", flush=True)


def tables(dataset: str, model: str) -> list[pd.DataFrame]:
    """Read a model's per-user tables, one per seed."""
    found = sorted((RESULTS / dataset).glob(f"{model}-s*.parquet"))
    found = found or sorted((BEFORE_ROTARY / "baselines" / dataset).glob(f"{model}-s*.parquet"))
    # Whose target was which item may not be redistributed; the digest in each file stands for it.
    return [pd.read_parquet(path).assign(target=0) for path in found]


def rows(dataset: str) -> list[str]:
    """One line per model: means over seeds, intervals, and the test against the counter."""
    lines = []
    counter = tables(dataset, "counter")
    for model in ("gru4rec", "sasrec", "counter", "knn", "ease", "markov", "popularity"):
        seeds = tables(dataset, model)
        if not seeds:
            continue
        recall = [outcome(t, "recall").mean() for t in seeds]
        ndcg = [outcome(t, "ndcg").mean() for t in seeds]
        unmasked = np.mean([outcome(t, "recall", masked=False).mean() for t in seeds])
        n = len(seeds[0])
        low, high = hits_interval(float(np.mean(recall)) * n, n)
        drawn = model not in FLOOR_KINDS
        spread = f"{min(recall):.4f} to {max(recall):.4f}" if drawn else "fixed"
        versus = "reference"
        if model != "counter":
            tests = {m: versus_floor(seeds, counter, m, drawn=drawn) for m in ("recall", "ndcg")}
            versus = "; ".join(
                f"{m} {t.delta:+.4f}, p {'< .0001' if t.p < 1e-4 else f'= {t.p:.2g}'}"
                for m, t in tests.items()
            )
        old = not (RESULTS / dataset / f"{model}-s0.parquet").is_file()
        lines.append(
            f"| {model}{' (before rotary positions)' if old else ''} | {len(seeds)} "
            f"| {np.mean(recall):.4f} [{low:.4f}, {high:.4f}] | {spread} "
            f"| {np.mean(ndcg):.4f} | {unmasked:.4f} | {versus} |"
        )
    return lines


def versus_floor(
    seeds: list[pd.DataFrame], floor: list[pd.DataFrame], metric: Metric, *, drawn: bool
) -> RecipeTest:
    """Test a model against a floor over users and trainings; a floor has no seeds."""
    a, b = (boil_down(outcome(t, metric) for t in side) for side in (seeds, floor))
    return compare_recipes(a, b, noise_a=None if drawn else NOTHING_DRAWN, noise_b=NOTHING_DRAWN)


def blocks() -> list[Block]:
    """Make the page's tables."""
    head = (
        "| model | seeds | recall@10 [95 %] | over seeds | NDCG@10 | recall@10 unmasked "
        "| against the counter |"
    )
    return [
        Block(
            PAGE,
            folder.name,
            "\n".join([head, "|---|---|---|---|---|---|---|", *rows(folder.name)]),
        )
        for folder in sorted(RESULTS.iterdir())
    ]


def main() -> None:
    command, *datasets = sys.argv[1:] or ["table"]
    if command == "run":
        for dataset in datasets or ["ml-100k", "ml-1m-sasrec"]:
            run(dataset)
    for block in blocks():
        block.write()


if __name__ == "__main__":
    main()
