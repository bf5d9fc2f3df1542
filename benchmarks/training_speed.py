"""Training speed beside peers' SASRec: same data, same size, same loss, one thread, one run.

    python -m benchmarks.training_speed --peer rectools=/path/to/its/python --peer recbole=...

A peer wants other versions than we do, so each has an environment of its own; the Makefile says
what goes into it. All run in processes of their own, in turn, so that whatever else the machine
does falls on all. What is measured: CPU seconds of one epoch of the whole training loop, the
difference between a long and a short fit, so that preparation counts for none (RecBole: a number of
batches, see its half). Only ratios mean something.
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
EPOCHS = {"ml-100k": (1, 3), "ml-1m-sasrec": (1, 2)}  # of the short and the long fit
PEERS = ("rectools", "replay", "recbole")


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


def run_half(command: list[str], folder: str | None = None) -> dict[str, float]:
    """Run one half, in a folder where there is one, and return the figures of its last line."""
    done = subprocess.run(
        command, env=one_thread(), cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{command[0]} failed:\n{done.stderr[-2000:]}")
    figures: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def compare(dataset: str, peers: dict[str, str], rounds: int) -> dict[str, object]:
    """Take turns and report every rate, and the ratios of the medians."""
    from recdistill.data import DataConfig, prepare

    length = LENGTHS[dataset]
    train = prepare(DataConfig(dataset=dataset)).train
    epochs = ["--epochs", *map(str, EPOCHS[dataset])]
    sizes = {f"tokens {tokens}": tokens for tokens in (1600, 12800)}
    rates: dict[str, list[float]] = {name: [] for name in (*peers, *sizes)}
    with tempfile.TemporaryDirectory() as folder:
        arrays = Path(folder) / "train.npz"
        np.savez(arrays, items=train.items, offsets=train.offsets)
        for _ in range(rounds):
            for name, python in peers.items():
                half = Path(__file__).resolve().parent / "peers" / f"{name}_training.py"
                theirs = [python, str(half), "--data", str(arrays), "--length", str(length)]
                if name != "recbole":  # it counts batches
                    theirs += epochs
                # They leave logs where they run.
                rates[name].append(run_half(theirs, folder)["targets_per_cpu_second"])
            for name, tokens in sizes.items():
                words = ["--dataset", dataset, "--tokens", str(tokens), *epochs]
                mine = [sys.executable, "-m", "benchmarks.training_speed", "--half", *words]
                rates[name].append(run_half(mine)["targets_per_cpu_second"])
    median = {name: statistics.median(values) for name, values in rates.items()}
    return {
        "length": length,
        "targets_per_cpu_second": rates,
        "ratio": {peer: {size: median[size] / median[peer] for size in sizes} for peer in peers},
    }


def peer_and_python(said: str) -> tuple[str, str]:
    """Read one `--peer`."""
    name, _, python = said.partition("=")
    if name not in PEERS or not python:
        raise argparse.ArgumentTypeError(f"{said} is not NAME=PYTHON, NAME one of {PEERS}")
    return name, str(Path(python).absolute())  # not resolved: a link makes the environment


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--peer", type=peer_and_python, action="append", default=[], metavar="NAME=PYTHON",
        help=f"one of {', '.join(PEERS)}, and the Python of its environment; once for each",
    )  # fmt: skip
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
    peers = dict(args.peer)
    if "rectools" not in peers:
        parser.error("--peer rectools=PYTHON is needed: the guard's bounds are ratios to it")
    results = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    for dataset in args.datasets:
        results[dataset] = compare(dataset, peers, args.rounds)
        results[dataset]["date"] = datetime.now(UTC).date().isoformat()
        results[dataset]["machine"] = f"{os.cpu_count()} cores, {platform.machine()}"
        print(dataset, json.dumps(results[dataset]["ratio"]))
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
