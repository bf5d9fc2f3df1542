"""What texts and pretraining add on the test part: docs/research/language.md says what decides.

    python -m benchmarks.language_verdict   # needs all trainings of `ROWS`, by benchmarks.language

The best epoch of each training must reach the validation figure that is recorded for it; then it
meets the test part, once: its users' ranks are a file, and a training that has one is left alone.
Nothing is opened before all trainings are there.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from safetensors.torch import load_model

from benchmarks.language import ARMS as EVERY_ARM
from benchmarks.language import DATASET, RESULTS, STRATA, WORK, data, placed_by_regression, vectors
from benchmarks.pages import Block, p_of
from recdistill.evaluation import (
    NOTHING_DRAWN,
    boil_down,
    compare_recipes,
    evaluate,
    outcome,
)
from recdistill.floors import fit_floor
from recdistill.students import build_student
from recdistill.training import finished, take_in_text

if TYPE_CHECKING:
    from pathlib import Path

    from recdistill.data import PreparedData
    from recdistill.evaluation import Metric, RecipeTest, Recommender, Trainings
    from recdistill.students import StudentRecommender

SEEDS = range(5)
TEST = RESULTS / f"{DATASET}-test"
KEPT = ["user", "n_above", "n_tied"]
RANDOM = "random weights"
# What a row of the page is made of.
ROWS = {
    "ids": ("id",),
    "ids and TF-IDF": ("tfidf-128",),
    "ids and MiniLM": ("minilm",),
    RANDOM: tuple(f"minilm-draw-{i}" for i in range(3)),
}
FLOORS = ("popularity", "counter", "knn", "tfidf")
PRIMARY = ("ids and MiniLM", RANDOM)
SECONDARY = (
    ("ids and TF-IDF", "ids"), ("ids and MiniLM", "ids"), ("ids and MiniLM", "ids and TF-IDF"),
)  # fmt: skip


def require_all() -> None:
    """Stop unless every training of every row is there: none is looked at before."""
    wanted = [f"{arm}-s{seed}" for arms in ROWS.values() for arm in arms for seed in SEEDS]
    missing = [name for name in wanted if not (RESULTS / DATASET / f"{name}.json").is_file()]
    if missing:
        raise SystemExit(f"Train these first (benchmarks.language run): {', '.join(missing)}")


def meet(arm: str, seed: int, on: PreparedData) -> None:
    """Let one training meet the test part, unless it has."""
    name = f"{arm}-s{seed}"
    if (TEST / f"{name}.parquet").is_file():
        return
    recorded = json.loads((RESULTS / DATASET / f"{name}.json").read_text("utf-8"))
    model = trained(arm, seed, on)
    reached = float(evaluate(model, on.val, on.catalog, on.train).outcome("ndcg", 10).mean())
    if abs(reached - recorded["ndcg_at_10"]) > 1e-6:
        raise SystemExit(f"{name} reaches {reached:.6f} on validation; recorded is another figure.")
    keep(name, model, on)


def trained(arm: str, seed: int, on: PreparedData) -> StudentRecommender:
    """Build an arm's student with the weights of its best epoch."""
    architecture, texts = EVERY_ARM[arm].recipe().architecture, vectors(EVERY_ARM[arm], on)
    student = build_student(architecture, on.catalog.n_items, seed=seed, train=on.train)
    take_in_text(student, architecture, texts, on, seed=seed)
    load_model(student, WORK / "checkpoints" / f"{arm}-s{seed}" / "best.safetensors")
    return placed_by_regression(finished(student, architecture, texts, on), texts, on)


def keep(name: str, model: Recommender, on: PreparedData) -> None:
    """Write a model's ranks on the test part, and its means by training count."""
    found = evaluate(model, on.test, on.catalog, on.train)
    counts = np.bincount(on.train.items, minlength=on.catalog.n_items + 1)[on.test.targets]
    ndcg = found.outcome("ndcg", 10)
    strata = {
        words: float(ndcg[(counts >= low) & (counts < high)].mean())
        for words, (low, high) in STRATA.items()
    }
    TEST.mkdir(parents=True, exist_ok=True)
    (TEST / f"{name}.json").write_text(json.dumps({"strata": strata}, indent=1) + "\n", "utf-8")
    found.per_user[KEPT].to_parquet(TEST / f"{name}.parquet", compression="zstd")
    print(f"{name}: met the test part", flush=True)


def files_of(row: str) -> list[Path]:
    """List a row's trainings that met the test part."""
    arms = "|".join(map(re.escape, ROWS.get(row, (f"floor-{row}",))))
    return [p for p in sorted(TEST.glob("*.parquet")) if re.fullmatch(rf"({arms})(-s\d+)?", p.stem)]


def trainings(row: str, metric: Metric) -> Trainings:
    """Read a row's outcomes. Whose target was which item is not kept, and nothing depends on it."""
    return boil_down(outcome(pd.read_parquet(f).assign(target=0), metric) for f in files_of(row))


def versus(a: str, b: str, metric: Metric = "ndcg") -> RecipeTest:
    """Test two rows over users and trainings."""
    noises = [NOTHING_DRAWN if row in FLOORS else None for row in (a, b)]
    return compare_recipes(
        trainings(a, metric), trainings(b, metric), noise_a=noises[0], noise_b=noises[1]
    )


def table() -> str:
    """One line a row, best NDCG@10 on top, then what decides."""
    lines = [
        f"| row | trainings | recall@10 | NDCG@10 | {' | '.join(STRATA)} |",
        f"|---|---:|---:|---:|{'---:|' * len(STRATA)}",
    ]
    means = {
        row: [trainings(row, metric).mean for metric in ("recall", "ndcg")]
        for row in (*ROWS, *FLOORS)
    }
    for row, (recall, ndcg) in sorted(means.items(), key=lambda pair: -pair[1][1]):
        kept = [json.loads(f.with_suffix(".json").read_text("utf-8")) for f in files_of(row)]
        strata = [np.mean([one["strata"][words] for one in kept]) for words in STRATA]
        cells = " | ".join(f"{value:.4f}" for value in (recall, ndcg, *strata))
        name = f"{row} (floor)" if row in FLOORS else row
        lines.append(f"| {name} | {len(kept)} | {cells} |")
    lines += ["", f"- primary: {_said(*PRIMARY)}"]
    lines += [f"- secondary: {_said(a, b)}" for a, b in SECONDARY]
    return "\n".join(lines)


def _said(a: str, b: str) -> str:
    test = versus(a, b)
    share = test.delta / trainings(b, "ndcg").mean
    return (
        f"{a} against {b}: {test.delta:+.4f} NDCG@10 [{test.low:+.4f}, {test.high:+.4f}], "
        f"{share:+.1%}, p {p_of(test.p)} ({test.n_seeds_a} against {test.n_seeds_b} trainings, "
        f"{test.n_users:,} users)."
    )


def blocks() -> list[Block]:
    """Make the page's table, once the test part was opened."""
    text = table() if TEST.is_dir() else "Not opened yet."
    return [Block("docs/research/language.md", f"language test {DATASET}", text)]


def main() -> None:
    """Open the test part for every training that is not looked at yet."""
    require_all()
    on = data()
    for arms in ROWS.values():
        for arm in arms:
            for seed in SEEDS:
                meet(arm, seed, on)
    for kind in FLOORS:
        if not (TEST / f"floor-{kind}.parquet").is_file():
            keep(f"floor-{kind}", fit_floor(kind, on.train, on.catalog), on)
    print(table())


if __name__ == "__main__":
    main()
