"""What a large catalog costs: training, its start, floors, a fold taken out of EASE, an evaluation.

    python -m benchmarks.large_catalogs             # all, some minutes
    python -m benchmarks.large_catalogs training    # cases named so; others are kept

Items are drawn by a power law; only sizes and times mean something. One process a case, so that its
peak of memory is its own; fits that are compared take turns. Writes
``benchmarks/results/large_catalogs.json``.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from benchmarks.pages import Block, table
from recdistill.data import Cases, Catalog, PreparedData, Sequences
from recdistill.evaluation import PositionScores, evaluate
from recdistill.floors import fit_floor, refit, refit_without
from recdistill.lessons import load_transfer_set, save_transfer_set
from recdistill.lessons._top_lists import collect_lessons
from recdistill.students import StudentConfig, build_student
from recdistill.training import (
    FitConfig,
    LossConfig,
    OptimizerConfig,
    StudentRecipe,
    fit_student,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RESULT = Path(__file__).parent / "results" / "large_catalogs.json"
CASES = (
    "markov 200000",
    "counter 200000",
    "knn 200000",
    "ease 8000",
    "evaluation 1000000",
    "start 200000",
    "transfer 50000",
)
TRAINED = (200_000, 1_000_000)
# The sampled rate of before, and what stands for it now.
FITS = {
    "every-row": (LossConfig("sampled_softmax"), OptimizerConfig(rows="all")),
    "touched-rows": (LossConfig("mixed_softmax"), OptimizerConfig(rows="touched")),
}
ROUNDS = 2
WIDTH = 64


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


def drawn_data(
    n_users: int, n_items: int, n_cases: int = 1_000, mean_length: int = 40
) -> PreparedData:
    """Draw histories, and what some users do next."""
    train = histories(n_users, n_items, mean_length)
    users = np.arange(min(n_cases, n_users))
    targets = np.random.default_rng(1).integers(1, n_items + 1, len(users)).astype(np.int32)
    cases = Cases(users, train.take(users), targets)
    names = np.arange(n_users).astype(str).astype(object)
    manifest = {"split_digest": "drawn"}
    return PreparedData(
        "drawn", catalog(n_items), names, train, cases, cases, manifest, Path("drawn")
    )


def fitted(how: str, n_items: int) -> dict[str, float]:
    """Fit a student of the default size for three epochs; the last one's rate counts."""
    data = drawn_data(300 if n_items < 500_000 else 150, n_items, n_cases=20)
    loss, optimizer = FITS[how]
    loop = FitConfig(max_epochs=3, validate_every=3, patience=0, optimizer=optimizer, device="cpu")
    recipe = StudentRecipe(StudentConfig(item_start="random"), loss, loop)
    rates: list[float] = []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        fit_student(
            recipe,
            data,
            seed=0,
            log=lambda metrics, epoch: rates.append(metrics["train/targets_per_cpu_second"]),
            checkpoint_folder=Path(folder),
        )
        checkpoint = (Path(folder) / "last.ckpt").stat().st_size
    table_bytes = (n_items + 1) * WIDTH * 4
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    return {
        "targets_per_cpu_second": rates[-1],
        "checkpoint_over_table": checkpoint / table_bytes,
        "memory_over_table": grown / table_bytes,
    }


def start(n_items: int) -> dict[str, float]:
    """Make the vectors that a student's item table starts from."""
    train = histories(100_000, n_items, 40)
    begun = time.process_time()
    build_student(StudentConfig(dim=WIDTH), n_items, seed=0, train=train)
    return {"n_interactions": len(train.items), "cpu_seconds": time.process_time() - begun}


def transfer(n_items: int) -> dict[str, float]:
    """Collect, write and read back a million lists of a transfer set; anonymous memory."""
    n_users, length = 20_000, 50
    random = np.random.default_rng(0)
    items = random.integers(1, 301, n_users * length).astype(np.int32)
    train = Sequences(items, np.arange(0, len(items) + 1, length))
    highest = begun = 0

    def parts() -> Iterator[PositionScores]:
        nonlocal highest, begun
        for first in range(0, n_users, 20):
            users = np.repeat(np.arange(first, first + 20), length - 1)
            positions = np.tile(np.arange(1, length), 20)
            scores = torch.randn(len(users), 301)  # of the first items; the others are no different
            scores[:, 0] = -torch.inf
            yield PositionScores(users, positions, scores)
            begun = begun or _anonymous_bytes()  # what the first part made, the others use again
            highest = max(highest, _anonymous_bytes())

    data: Any = SimpleNamespace(catalog=catalog(n_items), split_digest="drawn")
    with tempfile.TemporaryDirectory() as folder:
        made = collect_lessons(parts(), train, k=30, scratch=Path(folder))
        highest = max(highest, _anonymous_bytes())
        save_transfer_set(made, Path(folder) / "set", data)
        highest = max(highest, _anonymous_bytes())
        del made
        _give_back_freed()
        before = _anonymous_bytes()
        again = load_transfer_set(Path(folder) / "set", data)
        _give_back_freed()
        held = _anonymous_bytes() - before
        size = sum(path.stat().st_size for path in (Path(folder) / "set").iterdir())
        n = len(again.items)
    return {
        "n_positions": n,
        "made_bytes_a_position": (highest - begun) / n,
        "read_bytes_a_position": held / n,
        "disk_bytes_a_position": size / n,
    }


def _give_back_freed() -> None:
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)


def _anonymous_bytes() -> int:
    """Memory that the system cannot give back to files, which is what a process must have."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


def measure(what: str, n_items: int) -> dict[str, float]:
    if what in FITS:
        return fitted(what, n_items)
    if what in ("start", "transfer"):
        return {"start": start, "transfer": transfer}[what](n_items)
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


def of_one_process(case: str) -> dict[str, float]:
    """Measure a case in a process of its own, one thread."""
    words = [sys.executable, "-m", "benchmarks.large_catalogs", *case.split()]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    found: dict[str, float] = json.loads(subprocess.check_output(words, env=one_thread))
    print(case, found, flush=True)
    return found


def training(n_items: int) -> dict[str, Any]:
    """Let the two fits take turns; ratios are those of the medians."""
    rounds = [{how: of_one_process(f"{how} {n_items}") for how in FITS} for _ in range(ROUNDS)]
    found: dict[str, Any] = {
        how: {name: statistics.median(r[how][name] for r in rounds) for name in rounds[0][how]}
        for how in FITS
    }
    rate = {how: found[how]["targets_per_cpu_second"] for how in FITS}
    return found | {"ratio": round(rate["touched-rows"] / rate["every-row"], 2)}


def blocks() -> list[Block]:
    """Make the tables of docs/benchmarks.md."""
    found = json.loads(RESULT.read_text(encoding="utf-8"))
    page = "docs/benchmarks.md"
    return [
        Block(page, "large catalogs training", training_table(found)),
        Block(page, "large catalogs", cases_table(found)),
        Block(page, "transfer memory", transfer_table(found["transfer 50000"])),
    ]


def training_table(found: dict[str, Any]) -> str:
    """Write the rates, their ratio, and what a fit holds beside its item table."""
    rows = []
    for n_items in TRAINED:
        of = found[f"training {n_items}"]
        old, new = (of[how] for how in FITS)
        rows.append(
            [
                f"{n_items:,}",
                *(f"{fit['targets_per_cpu_second']:,.0f}" for fit in (old, new)),
                f"{of['ratio']:.1f}",
                *(f"{fit['checkpoint_over_table']:.1f}" for fit in (old, new)),
                *(f"{fit['memory_over_table']:.1f}" for fit in (old, new)),
            ]
        )
    head = [
        "items", "every row", "touched rows", "ratio", "`last.ckpt`, every row", "touched",
        "memory, every row", "touched",
    ]  # fmt: skip
    return table(head, rows)


def cases_table(found: dict[str, Any]) -> str:
    """Write what the other cases took."""
    rows = []
    for case in CASES:
        what, n_items = case.split()
        of = found[case]
        seconds = of.get("fit_cpu_seconds", of.get("cpu_seconds"))
        if what == "transfer":  # its own table
            continue
        if seconds is None:
            took = f"{of['users_per_cpu_second']:,.0f} users per CPU s"
        else:
            took = f"{seconds:.1f} CPU s"
        rows.append([what, f"{int(n_items):,}", took, f"{of['peak_gb']:.1f} GB"])
    return table(["", "items", "took", "peak memory"], rows)


def transfer_table(found: dict[str, float]) -> str:
    """Write a transfer set's bytes a position."""
    said = {
        "made": "main memory while it is made",
        "read": "main memory once a student has it",
        "disk": "on disk",
    }
    rows = [[words, f"{found[f'{name}_bytes_a_position']:.0f}"] for name, words in said.items()]
    return table(["", "bytes a position"], rows)


def main(names: list[str]) -> None:
    results = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.is_file() else {}
    cases: dict[str, Callable[[], dict[str, Any]]] = {
        **{case: partial(of_one_process, case) for case in CASES},
        **{f"training {n}": partial(training, n) for n in TRAINED},
    }
    for case, work in cases.items():
        if not names or any(case.startswith(name) for name in names):
            results[case] = work()
            RESULT.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[2].isdecimal():
        found = measure(sys.argv[1], int(sys.argv[2]))
        found["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(json.dumps({name: round(value, 3) for name, value in found.items()}))
    else:
        main(sys.argv[1:])
