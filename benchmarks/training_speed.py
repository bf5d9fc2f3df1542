"""Training speed beside RecTools' SASRec: same data, same size, same loss, one thread, one run.

    python -m benchmarks.training_speed --peer-python /path/to/rectools-env/bin/python

RecTools needs an environment of its own (numpy 1): `pip install torch==2.13.0 rectools==0.19.0`.
Both halves run in processes of their own, in turn, so that whatever else the machine does falls on
both. What is measured: CPU seconds of one epoch of the whole training loop, the difference between
a long and a short fit, so that preparation counts for neither. Only ratios mean something.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

RESULT = Path(__file__).parent / "results" / "training_speed.json"
LENGTHS = {"ml-100k": 50, "ml-1m-sasrec": 200}


def ours(dataset: str, length: int, tokens: int, epochs: tuple[int, int]) -> dict[str, float]:
    """Time one epoch through `fit`, Lightning included."""
    import torch

    from recdistill.data import DataConfig, prepare
    from recdistill.students import StudentConfig, build_student
    from recdistill.training import FitConfig, LossConfig, build_loss, fit

    torch.set_num_threads(1)
    data = prepare(DataConfig(dataset=dataset))
    counts = np.bincount(data.train.items, minlength=data.catalog.n_items + 1)
    architecture = StudentConfig(n_heads=1, max_length=length, item_start="random")
    seconds = []
    for n_epochs in epochs:
        model = build_student(architecture, data.catalog.n_items, seed=0)
        settings = FitConfig(
            max_epochs=n_epochs, tokens_per_batch=tokens, validate_every=n_epochs, device="cpu"
        )
        with tempfile.TemporaryDirectory() as folder:
            started = time.process_time()
            fit(
                model, build_loss(LossConfig(), counts), data, settings,
                log=lambda metrics, step: None, checkpoint_folder=Path(folder), seed=0,
            )  # fmt: skip
            seconds.append(time.process_time() - started)
    targets = int(np.maximum(data.train.lengths - 1, 0).sum())
    per_epoch = (seconds[1] - seconds[0]) / (epochs[1] - epochs[0])
    return {"cpu_seconds_per_epoch": per_epoch, "targets_per_cpu_second": targets / per_epoch}


def one_thread() -> dict[str, str]:
    """Return the environment both halves run in."""
    return os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def run_half(command: list[str]) -> dict[str, float]:
    """Run one half and return the figures of its last line."""
    done = subprocess.run(command, env=one_thread(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]} failed:\n{done.stderr[-2000:]}")
    figures: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def compare(dataset: str, peer_python: str, rounds: int) -> dict[str, object]:
    """Alternate the halves and report medians and their ratio."""
    from recdistill.data import DataConfig, prepare

    length = LENGTHS[dataset]
    train = prepare(DataConfig(dataset=dataset)).train
    peer = Path(__file__).parent / "peers" / "rectools_training.py"
    rates: dict[str, list[float]] = {"rectools": [], "tokens 1600": [], "tokens 12800": []}
    with tempfile.TemporaryDirectory() as folder:
        arrays = Path(folder) / "train.npz"
        np.savez(arrays, items=train.items, offsets=train.offsets)
        epochs = ["--epochs", "1", "3"] if dataset == "ml-100k" else ["--epochs", "1", "2"]
        for _ in range(rounds):
            theirs = [peer_python, str(peer), "--data", str(arrays), "--length", str(length)]
            rates["rectools"].append(run_half([*theirs, *epochs])["targets_per_cpu_second"])
            for tokens in (1600, 12800):
                words = ["--dataset", dataset, "--tokens", str(tokens), *epochs]
                mine = [sys.executable, "-m", "benchmarks.training_speed", "--half", *words]
                rates[f"tokens {tokens}"].append(run_half(mine)["targets_per_cpu_second"])
    median = {name: statistics.median(values) for name, values in rates.items()}
    return {
        "length": length,
        "targets_per_cpu_second": rates,
        "ratio": {k: v / median["rectools"] for k, v in median.items() if k != "rectools"},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--peer-python", help="Python of an environment with RecTools")
    parser.add_argument("--datasets", nargs="+", default=list(LENGTHS), choices=list(LENGTHS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--half", action="store_true", help="only our half, as JSON")
    parser.add_argument("--dataset", choices=list(LENGTHS))
    parser.add_argument("--tokens", type=int, default=1600)
    parser.add_argument("--epochs", type=int, nargs=2, default=[1, 3])
    args = parser.parse_args()
    if args.half:
        result = ours(args.dataset, LENGTHS[args.dataset], args.tokens, tuple(args.epochs))
        print(json.dumps(result))
        return
    if not args.peer_python:
        parser.error("--peer-python is needed: an environment with rectools==0.19.0")
    results = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    for dataset in args.datasets:
        results[dataset] = compare(dataset, args.peer_python, args.rounds)
        results[dataset]["date"] = datetime.now(UTC).date().isoformat()
        results[dataset]["machine"] = f"{os.cpu_count()} cores, {platform.machine()}"
        print(dataset, json.dumps(results[dataset]["ratio"]))
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
