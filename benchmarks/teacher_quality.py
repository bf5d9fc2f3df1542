"""What the language model adds: the teacher and its two controls against their baseline.

    python -m benchmarks.teacher_quality run ml-100k     # resumable
    python -m benchmarks.teacher_quality table           # only compute the tables anew

Three teachers per seed, trained as ``train_teacher`` does with one and the same settings
(conf/presets/full.yaml, chosen for the pretrained one on validation with seed 0): a pretrained
language model, the same network with random weights, and the same head without a language model.
Each stands on the baseline of its own seed. Every model meets the test part once. A model whose
per-user table is in ``benchmarks/results/teacher_quality/`` is not trained again; ``table``
computes every figure of docs/research/teacher.md from those tables.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks import baselines
from benchmarks.pages import Block
from projects.train_teacher import Config
from recdistill.config import parse
from recdistill.data import DataConfig, prepare
from recdistill.evaluation import boil_down, compare_paired, compare_recipes, evaluate, outcome
from recdistill.students import load_model, save_model
from recdistill.teachers import TeacherRecommender, build_teacher, fit_teacher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from recdistill.data import PreparedData
    from recdistill.evaluation import Metric
    from recdistill.students import StudentRecommender

    Tables = dict[int, pd.DataFrame]

RESULTS = Path(__file__).parent / "results" / "teacher_quality"
PAGE = "docs/research/teacher.md"
SCRATCH = Path(tempfile.gettempdir()) / "recdistill-teacher-quality"
VARIANTS = {
    "pretrained": [],
    "random": ["--weights", "random"],
    "head": ["--adapter", "head"],
}
SAID = {
    "baseline": "baseline (SASRec)",
    "pretrained": "pretrained LLM",
    "random": "the same with random weights",
    "head": "the same head, no LLM",
}
# Retail: rows of a thousand buyers, first purchases only, so that a training stays below five
# minutes of a core; the settings are those found on ML-100K.
DATASETS = {
    "ml-100k": [],
    "online-retail": ["--max_users", "1000", "--cleaning.repeats", "first", "--lora.dropout", "0"],
}
# Bands of the target's interactions in training. Whose target was which item may not be
# redistributed, so its exact count is not kept.
BANDS = (5, 20, 100)


def settings(dataset: str, *words: str) -> Config:
    """Resolve the stage's settings for one data set."""
    return parse(Config, "train_teacher", ["--dataset", dataset, *DATASETS[dataset], *words])


def baseline(data: PreparedData, seed: int) -> StudentRecommender:
    """Train the frozen recommender, or find it trained."""
    folder = SCRATCH / data.dataset / f"baseline-s{seed}"
    if not folder.is_dir():
        trained = baselines.train(baselines.settings(data.dataset, "sasrec", seed), data)
        save_model(trained, folder)
    return load_model(folder, data.catalog)


def keep(model: Any, data: PreparedData, name: str, facts: dict[str, Any]) -> None:
    """Test a model once and write its ranks and what is known of its training."""
    evaluation = evaluate(model, data.test, data.catalog, data.train)
    table = evaluation.per_user
    band = np.searchsorted(BANDS, table["target_popularity"], side="right").astype(np.int8)
    kept = table[baselines.KEPT].assign(target_band=band)
    kept.attrs = table.attrs
    metrics = evaluation.metrics()
    facts |= {m: metrics[m] for m in ("recall_at_10", "ndcg_at_10")}
    folder = RESULTS / data.dataset
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n")
    kept.to_parquet(folder / f"{name}.parquet", compression="zstd")
    print(name, facts, flush=True)


def fitted(
    data: PreparedData, variant: str, seed: int
) -> tuple[TeacherRecommender, dict[str, Any]]:
    """Train one teacher as the stage does, or take up its training where it ended."""
    config = settings(data.dataset, "--seed", str(seed), *VARIANTS[variant])
    base = baseline(data, seed)
    shape = config.teacher_settings(base.model.max_length)
    network = build_teacher(base.model, config.load_llm(seed), data.catalog, shape, seed=seed)
    started = time.process_time()
    outcome = fit_teacher(
        network,
        data,
        config.training_settings(),
        validate=lambda model: evaluate(model, data.val, data.catalog, data.train).metrics(),
        log=lambda metrics, step: None,
        checkpoints=SCRATCH / data.dataset / f"{variant}-s{seed}",
        seed=seed,
    )
    facts = {
        "seed": seed,
        "cpu_seconds": round(time.process_time() - started),
        "best_epoch": outcome.best_epoch,
        "n_steps": outcome.n_steps,
        "val_ndcg_at_10": outcome.best_ndcg,
        "n_trainable": sum(p.numel() for p in network.trainable().values()),
    }
    return TeacherRecommender(network, data.catalog.digest), facts


def run(dataset: str, seeds: Sequence[int], variants: Sequence[str]) -> None:
    """Train and test what has no table yet."""
    config = settings(dataset)
    data = prepare(replace(DataConfig.of(config), seed=config.data_seed))
    published = baselines.BEFORE_ROTARY / "baselines" / dataset
    for seed in seeds:
        for variant in variants:
            if not (RESULTS / dataset / f"{variant}-s{seed}.parquet").is_file():
                teacher, facts = fitted(data, variant, seed)
                keep(teacher, data, f"{variant}-s{seed}", facts)
        if not any(
            (folder / f"{model}-s{seed}.parquet").is_file()
            for folder, model in ((published, "sasrec"), (RESULTS / dataset, "baseline"))
        ):
            keep(baseline(data, seed), data, f"baseline-s{seed}", {"seed": seed})


def tables(dataset: str, model: str) -> Tables:
    """Read a model's per-user tables by seed."""
    found = {}
    for seed in range(10):
        files = [RESULTS / dataset / f"{model}-s{seed}.parquet"]
        if model == "baseline":
            folder = baselines.BEFORE_ROTARY / "baselines" / dataset
            files.append(folder / f"sasrec-s{seed}.parquet")
        for file in filter(Path.is_file, files):
            found[seed] = pd.read_parquet(file).assign(target=0)
    return found


def facts(dataset: str, variant: str, name: str) -> float:
    """Mean of one fact over the seeds."""
    files = sorted((RESULTS / dataset).glob(f"{variant}-s*.json"))
    return float(np.mean([json.loads(file.read_text())[name] for file in files]))


def difference(a: Tables, b: Tables, metric: Metric) -> str:
    """Say a difference with its interval and p over users and trainings.

    With one training a side there is no verdict on methods, and the interval is over users alone.
    """
    seeds = sorted(a.keys() & b.keys())
    sides = [[table[s] for s in seeds] for table in (a, b)]
    if len(seeds) < 2:
        two = compare_paired(*sides, metric=metric)
        return f"{two.delta:+.4f} [{two.low:+.4f}, {two.high:+.4f}], these two models"
    both = [boil_down(outcome(table, metric) for table in side) for side in sides]
    test = compare_recipes(*both)
    return f"{test.delta:+.4f} [{test.low:+.4f}, {test.high:+.4f}], p = {test.p:.2g}"


def mean(found: Tables, metric: Metric) -> str:
    """Average a metric over users and seeds."""
    return f"{np.mean([outcome(table, metric).mean() for table in found.values()]):.4f}"


def quality(dataset: str) -> str:
    """Compute the main table: each model against the baseline."""
    base = tables(dataset, "baseline")
    lines = [
        "| model | seeds | recall@10 | NDCG@10 | recall@10 over the baseline [95 %] "
        "| NDCG@10 over the baseline [95 %] | CPU s |",
        "|---|---|---|---|---|---|---|",
    ]
    for model in ("baseline", *VARIANTS):
        own = tables(dataset, model)
        if not own:
            continue
        row = [SAID[model], str(len(own)), mean(own, "recall"), mean(own, "ndcg")]
        if model == "baseline":
            row += ["", "", ""]
        else:
            row += [difference(own, base, "recall"), difference(own, base, "ndcg")]
            row += [f"{facts(dataset, model, 'cpu_seconds'):.0f}"]
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def controls(dataset: str) -> str:
    """Compute the second table: the pretrained model against its controls, and by groups."""
    pretrained = tables(dataset, "pretrained")
    others = [tables(dataset, name) for name in ("random", "head")]
    users = next(iter(pretrained.values()))  # the same for every seed
    popularity = users["target_band"].to_numpy()
    length = users["history_length"].to_numpy()
    short, long = np.quantile(length, [0.25, 0.75])
    groups = {"all users": np.ones(len(length), bool)}
    edges = [0, *BANDS]
    for band, low in enumerate(edges):
        upper = f" to {edges[band + 1] - 1}" if band + 1 < len(edges) else " or more"
        groups[f"target seen {low}{upper} times in training"] = popularity == band
    groups[f"history of up to {short:.0f} items"] = length <= short
    groups[f"history of {long:.0f} items or more"] = length >= long
    lines = [
        "| users | n | NDCG@10 pretrained | minus random weights [95 %] | minus no LLM [95 %] |",
        "|---|---|---|---|---|",
    ]
    for name, members in groups.items():
        if members.any():
            own = part(pretrained, members)
            row = [name, str(int(members.sum())), mean(own, "ndcg")]
            row += [difference(own, part(other, members), "ndcg") for other in others]
            lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def part(found: Tables, members: NDArray[np.bool_]) -> Tables:
    """Keep some users of every seed's table."""
    return {seed: table[members] for seed, table in found.items()}


def blocks() -> list[Block]:
    """Make the page's tables."""
    made = {"quality": quality, "controls": controls}
    return [
        Block(PAGE, f"{dataset} {name}", make(dataset))
        for dataset in DATASETS
        for name, make in made.items()
    ]


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("datasets", nargs="*", help="ml-100k, online-retail")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--variants", nargs="*", choices=list(VARIANTS), default=list(VARIANTS))
    options = parser.parse_args()
    if options.what == "run":
        logging.getLogger("recdistill").setLevel(logging.INFO)
        logging.basicConfig(format="%(message)s", stream=sys.stdout)
        for dataset in options.datasets or ["ml-100k"]:
            run(dataset, range(options.seeds), options.variants)
    elif options.what == "table":
        for block in blocks():
            block.write()


if __name__ == "__main__":
    main()
