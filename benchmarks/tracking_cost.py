"""What logging costs a training, and whether a crowd of writers loses anything.

Start a team server (``make server``), then, with its login in the environment (see
docs/guides/team_server.md)::

    python -m benchmarks.tracking_cost epoch            # logging against a fit without it
    python -m benchmarks.tracking_cost writers          # 8 processes, 10,000 metrics each

Results are written to ``benchmarks/results/tracking_cost.json``. Machines that do other work
disturb wall-clock times, and processor times of two fits differ by more than logging costs. The
figure that is judged is counted directly: processor time of the threads that log (metrics, system
metrics) and of the calls that hand metrics to them, over all the rest of the same fit.
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
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from mlflow import MlflowClient

from recdistill.data import DataConfig, prepare
from recdistill.runs import open_run
from recdistill.students import StudentConfig, build_student
from recdistill.training import FitConfig, LossConfig, build_loss, fit

RESULTS = Path(__file__).parent / "results" / "tracking_cost.json"
WRITER = Path(__file__).parents[1] / "tests" / "e2e" / "writer.py"
N_EPOCHS = 4


@dataclass
class Config:
    """The run's only setting."""

    seed: int = 0


def measure_epochs(repeats: int) -> dict[str, Any]:
    """Fit SASRec on MovieLens-100K untracked, on a local store and on the server, in turns."""
    torch.set_num_threads(1)
    team = os.environ.get("MLFLOW_TRACKING_URI", "")
    seconds: dict[str, list[tuple[float, float]]] = {}
    logging: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = prepare(DataConfig(), folder / "data")
        stores = {"none": "", "local": f"sqlite:///{folder}/mlflow.db"}
        if team.startswith("http"):
            stores["team"] = team
        for repeat in range(repeats):
            for kind, uri in stores.items():
                if not uri:
                    took = _fit(data, folder / f"{kind}{repeat}", lambda *_: None)
                else:
                    os.environ["MLFLOW_TRACKING_URI"] = uri
                    with open_run("tracking_cost", Config(), run_name=f"{kind}-{repeat}") as run:
                        handing = _Timed(run.log_metrics)
                        took = _fit(data, folder / f"{kind}{repeat}", handing)
                        spent = handing.seconds + _seconds_of_other_threads()
                    logging.setdefault(kind, []).append(100 * spent / (took[0] - spent))
                seconds.setdefault(kind, []).append(took)
                print(f"{kind}: {took[0]:.2f} s of processor, {took[1]:.2f} s of wall", flush=True)
    cpu = {kind: statistics.median(t[0] for t in times) for kind, times in seconds.items()}
    wall = {kind: statistics.median(t[1] for t in times) for kind, times in seconds.items()}
    cost = {kind: round(statistics.median(shares), 2) for kind, shares in logging.items()}
    return {
        "n_epochs": N_EPOCHS,
        "repeats": repeats,
        "cpu_seconds": cpu,
        "wall_seconds": wall,
        "all": seconds,
        "cost_percent": cost,
        "cost_percent_all": {k: [round(s, 2) for s in v] for k, v in logging.items()},
    }


class _Timed:
    """Counts the processor time that the calling thread spends in ``log``."""

    def __init__(self, log: Any) -> None:
        self.log, self.seconds = log, 0.0

    def __call__(self, *words: Any) -> None:
        started = time.thread_time()
        self.log(*words)
        self.seconds += time.thread_time() - started


def _seconds_of_other_threads() -> float:
    """Return the processor time of this process's Python threads but the main one."""
    others = {t.native_id for t in threading.enumerate()} - {threading.main_thread().native_id}
    threads = psutil.Process().threads()
    return sum(t.user_time + t.system_time for t in threads if t.id in others)


def _fit(data: Any, folder: Path, log: Any) -> tuple[float, float]:
    student = build_student(StudentConfig(max_length=50), data.catalog.n_items, seed=0)
    counts = np.bincount(data.train.items, minlength=data.catalog.n_items + 1)
    loss = build_loss(LossConfig(), counts)
    settings = FitConfig(max_epochs=N_EPOCHS, patience=0, device="cpu")
    cpu, wall = time.process_time(), time.perf_counter()
    fit(student, loss, data, settings, log=log, checkpoint_folder=folder, seed=0)
    return time.process_time() - cpu, time.perf_counter() - wall


def measure_writers(n_writers: int, n_metrics: int) -> dict[str, Any]:
    """Let processes log side by side, then read every metric back from the server."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        env = {**os.environ, "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING": "false"}
        crowd = [
            subprocess.Popen(
                [sys.executable, str(WRITER), f"writer-{i}", str(n_metrics), "0"],
                env=env,
                cwd=folder,
                stdout=subprocess.PIPE,
                text=True,
            )
            for i in range(n_writers)
        ]
        said = [writer.communicate()[0] for writer in crowd]
        seconds = time.perf_counter() - started
    client = MlflowClient()
    found, statuses = 0, []
    for text in said:
        run_id = next(line for line in text.splitlines() if len(line) == 32)
        run = client.get_run(run_id)
        statuses.append(run.info.status)
        found += sum(len(client.get_metric_history(run_id, key)) for key in run.data.metrics)
    return {
        "n_writers": n_writers,
        "metrics_each": n_metrics,
        "written": n_writers * n_metrics,
        "found": found,
        "statuses": statuses,
        "wall_seconds": round(seconds, 1),
        "per_writer": [text.splitlines()[-1] for text in said],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["epoch", "writers"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--metrics", type=int, default=10_000)
    options = parser.parse_args()
    if options.what == "epoch":
        result = measure_epochs(options.repeats)
    else:
        result = measure_writers(options.writers, options.metrics)
    result["machine"] = {"platform": platform.platform(), "cpus": os.cpu_count()}
    result["load_average"] = round(os.getloadavg()[1], 1)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results[options.what] = result
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
