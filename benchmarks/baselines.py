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
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from projects.train_baseline import Config
from recdistill.config import parse
from recdistill.data import DataConfig, PreparedData, prepare
from recdistill.evaluation import compare_paired, evaluate, hits_interval, outcome
from recdistill.floors import FLOOR_KINDS, fit_floor
from recdistill.students import StudentRecommender, build_student
from recdistill.training import build_loss, fit

RESULTS = Path(__file__).parent / "results" / "baselines"
PAGE = Path(__file__).parents[1] / "docs" / "results.md"
SEEDS = (0, 1, 2)
KEPT = ["user", "history_length", "n_above", "n_tied", "n_above_unmasked", "n_tied_unmasked"]


def settings(dataset: str, model: str, seed: int) -> Config:
    """Resolve the stage's own settings for the full preset."""
    words = ["--dataset", dataset, "--preset", "full", "--model", model, "--seed", str(seed)]
    if model == "gru4rec":
        words += ["--student.n_blocks", "1", "--loss_options.label_smoothing", "0"]
    return parse(Config, "train_baseline", words)


def train(config: Config, data: PreparedData) -> StudentRecommender:
    """Fit a student as the stage does."""
    architecture = config.student_config("gru4rec" if config.model == "gru4rec" else "sasrec")
    n_items = data.catalog.n_items
    student = build_student(architecture, n_items, seed=config.seed, train=data.train)
    loss = build_loss(config.loss_config(), np.bincount(data.train.items, minlength=n_items + 1))
    with tempfile.TemporaryDirectory() as folder:
        fit(
            student, loss, data, config.fit_config(), log=lambda metrics, step: None,
            checkpoint_folder=Path(folder), seed=config.seed,
        )  # fmt: skip
    return StudentRecommender(student, architecture, data.catalog.digest, data.split_digest)


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
    # Whose target was which item may not be redistributed; the digest in each file stands for it.
    return [pd.read_parquet(path).assign(target=0) for path in found]


def rows(dataset: str) -> list[str]:
    """One line per model: means over seeds, intervals, and the paired test against the counter."""
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
        spread = f"{min(recall):.4f} to {max(recall):.4f}" if len(seeds) > 1 else "fixed"
        versus = "reference"
        if model != "counter":
            tests = {m: compare_paired(seeds, counter, metric=m) for m in ("recall", "ndcg")}
            versus = "; ".join(f"{m} {t.delta:+.4f}, p = {t.p:.2g}" for m, t in tests.items())
        lines.append(
            f"| {model} | {len(seeds)} | {np.mean(recall):.4f} [{low:.4f}, {high:.4f}] | {spread} "
            f"| {np.mean(ndcg):.4f} | {unmasked:.4f} | {versus} |"
        )
    return lines


def write_page() -> None:
    """Replace the tables between the page's markers."""
    text = PAGE.read_text(encoding="utf-8")
    for folder in sorted(RESULTS.iterdir()):
        start, end = f"<!-- {folder.name} -->", f"<!-- /{folder.name} -->"
        head = (
            "| model | seeds | recall@10 [95 %] | over seeds | NDCG@10 | recall@10 unmasked "
            "| against the counter |"
        )
        body = "\n".join([head, "|---|---|---|---|---|---|---|", *rows(folder.name)])
        before, after = text.split(start)[0], text.split(end)[1]
        text = f"{before}{start}\n{body}\n{end}{after}"
    PAGE.write_text(text, encoding="utf-8")


def main() -> None:
    command, *datasets = sys.argv[1:] or ["table"]
    if command == "run":
        for dataset in datasets or ["ml-100k", "ml-1m-sasrec"]:
            run(dataset)
    write_page()


if __name__ == "__main__":
    main()
