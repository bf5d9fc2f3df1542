"""Is the test of recipes right five times in a hundred? On real trainings, and by simulation.

    python -m benchmarks.calibration            # all of it but the training; some CPU minutes
    python -m benchmarks.calibration train      # resumable; about half a CPU minute per seed
    python -m benchmarks.calibration seeds      # groupings of those trainings
    python -m benchmarks.calibration simulate   # made-up trainings, 200 to a million users
    python -m benchmarks.calibration speed      # a million users, eight seeds, twenty models
    python -m benchmarks.calibration table      # only write the tables anew

Real trainings: many seeds of one short recipe (the quick preset's SASRec). Whatever way they are
dealt into two sides, both sides are the same recipe, so every rejection is a false alarm. Power is
measured on planted differences: one side's targets move up to half their rank for some users. Both
are reported for the test of users alone as well, which is what `compare_paired` gives. The per-user
tables and the results as JSON are committed; the tables of docs/guides/reading_a_comparison.md are
written from them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks import baselines, calibration_grid
from benchmarks.pages import Block
from projects.train_baseline import Config
from recdistill.config import parse
from recdistill.data import DataConfig, prepare
from recdistill.evaluation import (
    Metric,
    boil_down,
    compare_recipes,
    evaluate,
    expected_outcome,
    permutation_test,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESULTS = Path(__file__).parent / "results" / "calibration"
PAGE = "docs/guides/reading_a_comparison.md"
DATASET, RECIPE, N_SEEDS = "ml-100k", "sasrec-quick", 40
KEPT = ["user", "n_above", "n_tied"]
LEVEL, N_GROUPINGS = 0.05, 600
SIDES = (1, 2, 3, 5, 8)
PLANTED = (0.0, 0.3, 0.6)  # share of users whose target moves up
METRICS: dict[Metric, str] = {"ndcg": "NDCG@10", "recall": "recall@10"}


def train(n_seeds: int = N_SEEDS) -> None:
    """Train the recipe with every seed that has no per-user table yet."""
    data = prepare(DataConfig(dataset=DATASET))
    for seed in range(n_seeds):
        path = RESULTS / DATASET / f"{RECIPE}-s{seed}.parquet"
        if path.is_file():
            continue
        words = ["--dataset", DATASET, "--preset", "quick", "--seed", str(seed)]
        model = baselines.train(parse(Config, "train_baseline", words), data)
        found = evaluate(model, data.test, data.catalog, data.train)
        path.parent.mkdir(parents=True, exist_ok=True)
        found.per_user[KEPT].to_parquet(path, compression="zstd")
        print(path.stem, f"{found.outcome('ndcg').mean():.4f}", flush=True)


def seeds() -> dict[str, Any]:
    """Deal the trainings into two sides, over and over, and count how often the tests reject."""
    tables = [pd.read_parquet(path) for path in sorted((RESULTS / DATASET).glob("*.parquet"))]
    above = np.stack([t["n_above"].to_numpy() for t in tables])  # [n_trainings, n_users]
    tied = np.stack([t["n_tied"].to_numpy() for t in tables])
    rows = []
    for metric in METRICS:
        plain = expected_outcome(above, tied, metric, 10)
        raised = expected_outcome(above // 2, tied, metric, 10)
        for share in PLANTED:
            rows += [_dealt(plain, raised, metric, n, share) for n in SIDES]
    spread = {
        name: {"sd": noise.variance**0.5, "sd_from_users": noise.user_part**0.5}
        for metric, name in METRICS.items()
        if (noise := boil_down(expected_outcome(above, tied, metric, 10)).noise())
    }
    return {
        "dataset": DATASET,
        "recipe": RECIPE,
        "n_trainings": len(tables),
        "n_users": above.shape[1],
        "n_groupings": N_GROUPINGS,
        "spread": spread,
        "rows": rows,
    }


def _dealt(
    plain: NDArray[np.float64], raised: NDArray[np.float64], metric: Metric, n: int, share: float
) -> dict[str, Any]:
    """Rejections over random disjoint groupings of ``n`` against ``n`` trainings."""
    rng = np.random.default_rng([n, int(100 * share)])
    new, old = 0, 0
    for _ in range(N_GROUPINGS):
        order = rng.permutation(len(plain))
        moved = rng.random(plain.shape[1]) < share
        first = np.where(moved, raised[order[:n]], plain[order[:n]])
        a, b = boil_down(first), boil_down(plain[order[n : 2 * n]])
        # One training a side: what a store knows from the recipe's other runs.
        known = boil_down(plain[order[2:]]).noise() if n == 1 else None
        new += compare_recipes(a, b, noise_a=known, noise_b=known).p < LEVEL
        old += permutation_test((a.user_means - b.user_means).round(12), n_resamples=999) < LEVEL
    found = {
        "metric": METRICS[metric],
        "seeds": n,
        "planted": share * float((raised - plain).mean()),
    }
    return found | {"rejected": new / N_GROUPINGS, "rejected_by_users_alone": old / N_GROUPINGS}


def seeds_table(found: dict[str, Any]) -> str:
    """Write the rates on real trainings."""
    lines = [
        "| metric | true difference | test | " + " | ".join(f"{n} v {n}" for n in SIDES) + " |",
        "|---|---|---|" + "---|" * len(SIDES),
    ]
    tests = {"rejected": "users and trainings", "rejected_by_users_alone": "users alone"}
    rows = pd.DataFrame(found["rows"])
    for (metric, planted), part in rows.groupby(["metric", rows["planted"].round(4)], sort=False):
        for key, words in tests.items():
            rates = " | ".join(f"{rate:.3f}" for rate in part.sort_values("seeds")[key])
            lines.append(f"| {metric} | {planted:+.4f} | {words} | {rates} |")
    sd = found["spread"]["NDCG@10"]
    lines += [
        "",
        f"{found['n_trainings']} trainings of `{found['recipe']}` on {found['dataset']}, "
        f"{found['n_users']} users, {found['n_groupings']} random groupings a cell, level "
        f"{LEVEL}; standard deviation of NDCG@10 between trainings {sd['sd']:.4f}, of which users "
        f"alone make {sd['sd_from_users']:.4f}. 1 v 1 takes the noise from the other trainings.",
    ]
    return "\n".join(lines)


def put(mark: str, text: str) -> None:
    """Put a table between its marks on the page."""
    Block(PAGE, mark, text).write()
    print(f"{mark}\n{text}\n", flush=True)


PARTS = {
    "seeds": (seeds, seeds_table),
    "simulate": (calibration_grid.simulate, calibration_grid.simulation_table),
    "speed": (calibration_grid.speed, calibration_grid.speed_table),
}


def blocks() -> list[Block]:
    """Make the page's tables of what was measured."""
    paths = {name: RESULTS / f"{name}.json" for name in PARTS}
    return [
        Block(PAGE, f"calibration {name}", PARTS[name][1](json.loads(path.read_text("utf-8"))))
        for name, path in paths.items()
        if path.is_file()
    ]


def main() -> None:
    """Read the command line."""
    asked = sys.argv[1] if len(sys.argv) > 1 else "all"
    if asked == "train":
        train(*(int(word) for word in sys.argv[2:]))
        return
    for name, (measure, _) in PARTS.items():
        path = RESULTS / f"{name}.json"
        if asked in (name, "all"):
            path.write_text(json.dumps(measure(), indent=1) + "\n", "utf-8")
    for block in blocks():
        block.write()


if __name__ == "__main__":
    main()
