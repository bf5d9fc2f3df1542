"""What longer lists, an early teacher, snapshots and more members bring a student of ML-100K.

    python -m benchmarks.lesson_variants run 0 1 2   # seeds; some 25 minutes of a core each
    python -m benchmarks.lesson_variants             # the table

One step earlier in time, as `benchmarks.distillation try` judges: the test part is never read. All
variants of a seed share networks, views and folds, and the student is that of the results' page.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.torch import load_model as load_weights

from benchmarks.distillation.models import Workshop
from benchmarks.distillation.run import choose, earlier
from benchmarks.distillation.settings import BASELINE, SETTINGS, STUDENT
from benchmarks.pages import Block
from projects import train_baseline
from recdistill.config import parse
from recdistill.data import DataConfig, PreparedData, prepare
from recdistill.distillation import Teaching, distil_student
from recdistill.evaluation import evaluate
from recdistill.floors import FLOOR_KINDS, fit_floor
from recdistill.lessons import (
    Lessons,
    draw_views,
    label_views,
    load_transfer_set,
    save_transfer_set,
    weigh,
)
from recdistill.students import load_model, save_model
from recdistill.teachers import cache_root
from recdistill.training import fit_student

if TYPE_CHECKING:
    from recdistill.evaluation import Recommender
    from recdistill.lessons import Pool

DATASET = "ml-100k"
RESULTS = Path(__file__).parent / "results" / "lesson_variants" / DATASET
WORK = cache_root() / "benchmarks" / "lesson_variants"
SETTING = SETTINGS[DATASET]
FLOORS = ("ease", "knn", "counter")
LONGEST = 300
EARLY = 4  # epochs of a network's sixteen
SNAPSHOTS = (8, 12)

NETWORKS: dict[str, tuple[str, ...]] = {
    "sasrec": ("--model=sasrec", "--student.dropout=0.3"),
    "gru4rec": (
        "--model=gru4rec", "--student.n_blocks=1", "--loss_options.label_smoothing=0",
        "--student.dropout=0.3",
    ),
    "ligr": ("--model=ligr", "--student.dropout=0.3"),
    "hstu": ("--model=hstu", "--student.dropout=0.3"),
}  # fmt: skip
USUAL = ("sasrec", "gru4rec", *FLOORS)
SHOTS = tuple(f"{name} after {n}" for name in ("sasrec", "gru4rec") for n in SNAPSHOTS)
# Members of each pool, how it is weighed, and how long its lists are.
POOLS: dict[str, tuple[tuple[str, ...], str, int]] = {
    "usual": (USUAL, "likelihood", LONGEST),
    "usual, by NDCG": (USUAL, "ndcg", 30),
    "early": (tuple(f"{n} after {EARLY}" for n in ("sasrec", "gru4rec")), "likelihood", 30),
    "snapshots": ((*USUAL, *SHOTS), "likelihood", 30),
    "four kinds": ((*NETWORKS, *FLOORS), "likelihood", 30),
    "four kinds, by NDCG": ((*NETWORKS, *FLOORS), "ndcg", 30),
}
# What a student is taught: by which pool, by how much of its lists.
VARIANTS: dict[str, tuple[str, int]] = {
    "lists of 30": ("usual", 30),
    "lists of 10": ("usual", 10),
    "lists of 100": ("usual", 100),
    "lists of 300": ("usual", LONGEST),
    "weighed by NDCG": ("usual, by NDCG", 30),
    "with snapshots": ("snapshots", 30),
    "with LiGR and HSTU": ("four kinds", 30),
    "with LiGR and HSTU, by NDCG": ("four kinds, by NDCG", 30),
    "two halves": ("usual", 30),
    "an early teacher, then a late one": ("usual", 30),
}


class Bench:
    """Everything of one seed."""

    def __init__(self, data: PreparedData, seed: int) -> None:
        self.data, self.seed, self.at = data, seed, WORK / f"seed-{seed}"
        self.shop = Workshop(data, SETTING, choose(DATASET), self.at, seed)

    def network(self, name: str) -> Recommender:
        """Train a network, or find it; its best epoch so far is kept on the way."""
        if not (self.at / name / "config.json").exists():
            kind = name.split(" after ")[0]
            number = list(NETWORKS).index(kind)
            words = ["--dataset", DATASET, "--preset=full", *NETWORKS[kind]]
            config = parse(train_baseline.Config, "train_baseline", words)
            recipe = config.recipe(train_baseline.student_kind(config))
            while_fitted = self.at / f"{kind}-checkpoints"

            def keep(_: object, epoch: int) -> None:
                if epoch in (EARLY, *SNAPSHOTS):
                    best = while_fitted / "best.safetensors"
                    shutil.copy(best, self.at / f"{kind}-{epoch}.safetensors")

            own = 100 * (self.seed + 1) + number
            fitted = fit_student(
                recipe, self.data, seed=own, log=keep, checkpoint_folder=while_fitted
            )
            save_model(fitted.recommender, self.at / kind)
            for epoch in (EARLY, *SNAPSHOTS):
                load_weights(fitted.recommender.model, self.at / f"{kind}-{epoch}.safetensors")
                save_model(fitted.recommender, self.at / f"{kind} after {epoch}")
        return load_model(self.at / name, self.data.catalog)

    def member(self, name: str) -> Recommender:
        """Return one of a pool."""
        if name in FLOOR_KINDS:
            return fit_floor(name, self.data.train, self.data.catalog)
        return self.network(name)

    def pool(self, name: str) -> Pool:
        """Weigh a pool on validation."""
        members, by, _ = POOLS[name]
        return weigh([self.member(one) for one in members], self.data, by=by)  # type: ignore[arg-type]

    def lessons(self, name: str) -> Lessons:
        """Ask a pool about this seed's views, or find what it said."""
        folder = self.at / f"lists of {name}"
        if not (folder / "manifest.json").exists():
            views = draw_views(self.data.train, SETTING.views, seed=self.seed)
            said = label_views(self.pool(name), views, self.data, k=POOLS[name][2], seed=self.seed)
            save_transfer_set(said, folder, self.data)
        return load_transfer_set(folder, self.data)

    def student(self, name: str) -> Recommender:
        """Teach a student."""
        pool, k = VARIANTS[name]
        if name == "two halves":
            return self.in_halves(pool, pool)
        if name.startswith("an early"):
            return self.in_halves("early", pool)
        return self.taught(self.lessons(pool).shortened(k))

    def in_halves(self, first: str, then: str) -> Recommender:
        """Teach half of the epochs by one pool and half by another, each with a schedule."""
        half = self.taught(self.lessons(first).shortened(30), halves=2)
        start = half.model.state_dict()  # type: ignore[attr-defined]
        return self.taught(self.lessons(then).shortened(30), halves=2, start=start)

    def taught(
        self, lessons: Lessons, *, halves: int = 1, start: dict[str, Any] | None = None
    ) -> Recommender:
        """Distil with the settings of the results' page."""
        config = self.shop.distilling(STUDENT)
        baseline = self.shop.recipe(BASELINE, self.seed)
        changes = config.resolved(baseline, self.data.train, lessons.sequences)
        assert changes.max_epochs is not None
        changes = replace(changes, max_epochs=changes.max_epochs // halves)
        teaching = Teaching(
            lessons, config.term_weights(), config.term_configs(), config.annealing,
            loss_weight=1.0 if changes.loss_weight is None else changes.loss_weight,
            inspect_every=0, start=start,
        )  # fmt: skip
        recipe = changes.applied_to(baseline)
        recipe = replace(recipe, loop=replace(recipe.loop, validate_every=1))
        return distil_student(recipe, teaching, self.data, seed=self.seed).recommender


def run(seeds: list[int]) -> None:
    """Teach what has no file yet."""
    data = earlier(prepare(DataConfig(dataset=DATASET)))
    for seed in seeds:
        bench = Bench(data, seed)
        for name, (pool, _) in VARIANTS.items():
            path = RESULTS / f"{name.replace(' ', '-').replace(',', '')}-s{seed}.json"
            if path.is_file():
                continue
            found = {"variant": name, "seed": seed, "student": judged(bench.student(name), data)}
            found["pool"] = judged(bench.pool(pool), data)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            print(found, flush=True)


def judged(model: Recommender, data: PreparedData) -> dict[str, float]:
    metrics = evaluate(model, data.test, data.catalog, data.train).metrics()
    return {name: metrics[name] for name in ("recall_at_10", "ndcg_at_10")}


def blocks() -> list[Block]:
    """Make the page's table: means over the seeds that all variants share."""
    found = [json.loads(path.read_text("utf-8")) for path in sorted(RESULTS.glob("*.json"))]
    if not found:
        return []
    of = {(one["variant"], one["seed"]): one for one in found}
    seeds = sorted({seed for _, seed in of if all((name, seed) in of for name in VARIANTS)})
    if not seeds:
        return []
    lines = [
        "| taught with | student's recall@10 | NDCG@10 | over lists of 30 | its pool's NDCG@10 |",
        "|---|---|---|---|---|",
    ]
    usual = [of["lists of 30", seed]["student"]["ndcg_at_10"] for seed in seeds]
    for name in VARIANTS:
        ones = [of[name, seed] for seed in seeds]
        recall, ndcg = (
            [one["student"][metric] for one in ones] for metric in ("recall_at_10", "ndcg_at_10")
        )
        gained = ", ".join(f"{a - b:+.4f}" for a, b in zip(ndcg, usual, strict=True))
        pool = np.mean([one["pool"]["ndcg_at_10"] for one in ones])
        cells = [name, f"{np.mean(recall):.4f}", f"{np.mean(ndcg):.4f}", gained, f"{pool:.4f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return [
        Block("docs/research/function_matching.md", f"variants {DATASET}", "\n".join(lines)),
    ]


def main() -> None:
    """Run, or show."""
    command, *words = sys.argv[1:] or ["table"]
    if command == "run":
        run([int(word) for word in words] or [0])
    for block in blocks():
        print(block.text)


if __name__ == "__main__":
    main()
