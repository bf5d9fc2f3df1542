"""Train many seeds of one short recipe: what the test of recipes is calibrated on.

python -m benchmarks.calibration train      # resumable; about half a CPU minute per seed
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks import baselines
from projects.train_baseline import Config
from recdistill.config import parse
from recdistill.data import DataConfig, prepare
from recdistill.evaluation import evaluate

RESULTS = Path(__file__).parent / "results" / "calibration"
DATASET, N_SEEDS = "ml-100k", 40
KEPT = ["user", "n_above", "n_tied"]


def train(n_seeds: int = N_SEEDS) -> None:
    """Train the quick preset's SASRec with every seed that has no per-user table yet."""
    data = prepare(DataConfig(dataset=DATASET))
    for seed in range(n_seeds):
        path = RESULTS / DATASET / f"sasrec-quick-s{seed}.parquet"
        if path.is_file():
            continue
        words = ["--dataset", DATASET, "--preset", "quick", "--seed", str(seed)]
        model = baselines.train(parse(Config, "train_baseline", words), data)
        found = evaluate(model, data.test, data.catalog, data.train)
        path.parent.mkdir(parents=True, exist_ok=True)
        found.per_user[KEPT].to_parquet(path, compression="zstd")
        print(path.stem, f"{found.outcome('ndcg').mean():.4f}", flush=True)


if __name__ == "__main__":
    train(*(int(word) for word in sys.argv[2:]))
