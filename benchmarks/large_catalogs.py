"""What a large catalog costs: floors, a fold taken out of EASE, an evaluation.

python -m benchmarks.large_catalogs

Items are drawn by a power law; only sizes and times mean something. One process a case, so that its
peak of memory is its own. Writes ``benchmarks/results/large_catalogs.json``.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from recdistill.data import Cases, Catalog, Sequences
from recdistill.evaluation import evaluate
from recdistill.floors import fit_floor, refit, refit_without

RESULT = Path("benchmarks/results/large_catalogs.json")
CASES = ("markov 200000", "counter 200000", "knn 200000", "ease 8000", "evaluation 1000000")


def catalog(n_items: int) -> Catalog:
    ids = np.arange(1, n_items + 1).astype(str)
    columns = {"raw_id": ids, "title": ids, "text": ids}
    return Catalog(pd.DataFrame(columns, index=pd.RangeIndex(1, n_items + 1, name="item")))


def histories(n_users: int, n_items: int, mean_length: int) -> Sequences:
    random = np.random.default_rng(0)
    lengths = random.geometric(1 / mean_length, n_users).clip(5, 400)
    shares = 1 / np.arange(1, n_items + 1) ** 0.9
    items = random.choice(n_items, lengths.sum(), p=shares / shares.sum()) + 1
    return Sequences(items.astype(np.int32), np.concatenate([[0], np.cumsum(lengths)]))


class Drawn:
    """Random states before a random table of 64 dimensions."""

    def __init__(self, items: Catalog) -> None:
        self.catalog_digest = items.digest
        self.table = torch.randn(items.n_items + 1, 64)

    def score(self, rows: Sequences) -> torch.Tensor:
        """See ``evaluation.Recommender``."""
        return torch.randn(len(rows), 64) @ self.table.T


def measure(what: str, n_items: int) -> dict[str, float]:
    items = catalog(n_items)
    if what == "evaluation":
        train = histories(2000, n_items, 20)
        targets = np.full(2000, n_items, np.int32)
        model, cases = Drawn(items), Cases(np.arange(2000), train, targets)
        started = time.process_time()
        evaluate(model, cases, items, train)
        return {"users_per_cpu_second": 2000 / (time.process_time() - started)}
    train = histories(9000 if what == "ease" else 100_000, n_items, 20 if what == "ease" else 40)
    started = time.process_time()
    floor = fit_floor(what, train, items)
    found = {"n_interactions": len(train.items), "fit_cpu_seconds": time.process_time() - started}
    if what == "ease":
        users = np.arange(450)
        started = time.process_time()
        refit_without(floor, train, users, items)
        found["fold_cpu_seconds"] = time.process_time() - started
        started = time.process_time()
        refit(floor, train.take(np.arange(450, len(train))), items)
        found["fold_solved_anew_cpu_seconds"] = time.process_time() - started
    return found


def main() -> None:
    results = {}
    for case in CASES:
        words = [sys.executable, "-m", "benchmarks.large_catalogs", *case.split()]
        results[case] = json.loads(subprocess.check_output(words))
        print(case, results[case], flush=True)
    RESULT.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        found = measure(sys.argv[1], int(sys.argv[2]))
        found["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(json.dumps({name: round(value, 3) for name, value in found.items()}))
    else:
        main()
