"""Sweeps under kill -9: nothing lost, nothing doubled, and what the platform costs per trial.

    python -m benchmarks.sweep_kills kills --n_trials 200 --workers 4 --kills 10
    python -m benchmarks.sweep_kills speed --n_trials 12 --repeats 2

``kills`` sweeps ML-100K's quick space (60 users, so that a trial trains for about a second) and
kills random workers at random moments; the last kill hits the sweep itself, which the same command
then continues. Afterwards every place of the study must be filled exactly once, and MLflow and
Optuna must agree. ``speed`` has one and two workers (one thread each) do the same list of trials,
taking turns, so that a machine's other load falls on both; beside the ratio of the times it prints
that of the times without what the workers stood in the queue for a core, which is what they would
take on a machine that does nothing else.
Results: ``benchmarks/results/sweep_*.json``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import numpy as np
import psutil
from mlflow import MlflowClient

from recdistill.runs import stage
from recdistill.sweeps import (
    first_attempt,
    load_study,
    open_storage,
    state_of,
    study_names,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
STUDENT = ["--max_epochs=2", "--max_length=20", "--student.dim=16", "--tokens_per_batch=800"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["kills", "speed"])
    parser.add_argument("--n_trials", type=int, default=200)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=2, help="of a trial")
    parser.add_argument("--users", type=int, default=60, help="of ML-100K; more train longer")
    parser.add_argument("--keep", default="", help="folder to work in and to leave behind")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(options.keep or stack.enter_context(tempfile.TemporaryDirectory()))
        flags = workshop(folder, options.epochs, options.users)
        found = kills(options, folder, flags) if options.what == "kills" else speed(options, flags)
    found |= {
        "machine": machine(),
        "settings": {k: v for k, v in vars(options).items() if k != "keep"},
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"sweep_{options.what}.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


def workshop(folder: Path, epochs: int, n_users: int) -> list[str]:
    """Make a folder like a fresh clone, with a baseline and a teacher's table on few users."""
    data = [f"--max_users={n_users}", "--data_seed=1"]
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("conf", "projects"):
        if not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)
    os.chdir(folder)
    uri = f"sqlite:///{folder}/mlflow.db"
    os.environ |= {
        "MLFLOW_TRACKING_URI": uri,
        "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING": "false",
        "PYTHONPATH": str(folder),
    }
    mlflow.set_tracking_uri(uri)
    cook("train_baseline", *data, *STUDENT)
    cook("train_baseline", "--model=ease", *data)
    cook("export_teacher", "--teacher_run=ease-s0-baseline", "--folds=2", "--top_k=20", *data)
    space = f"""
knobs:
  listwise_weight: {{range: [0.2, 3.0], log: true, zero: true}}
  lr: {{range: [0.0005, 0.005], log: true}}
points:
  no distillation: {{listwise_weight: 0.0}}
fixed: {{max_epochs: {epochs}}}
"""
    (folder / "space.yaml").write_text(space)
    return ["--baseline_run=sasrec-s0-baseline", "--space=space.yaml", "--n_seeds=0", *data]


def cook(name: str, *words: str) -> None:
    import importlib

    module = importlib.import_module(f"projects.{name}")
    stage(module.run, module.Config, name, list(words))


def kills(options: argparse.Namespace, folder: Path, flags: list[str]) -> dict[str, Any]:
    """Sweep, kill, look."""
    draw = random.Random(options.seed)  # noqa: S311
    words = [f"--n_trials={options.n_trials}", f"--workers={options.workers}", *flags]
    began = time.time()
    n_killed, moments = 0, []
    opened: dict[str, Any] = {}
    with sweeping(words) as sweep:
        done_at = sorted(draw.sample(range(5, options.n_trials - 5), options.kills))
        for i, mark in enumerate(done_at):
            if not wait_until(lambda mark=mark: n_ended(folder, opened) >= mark, sweep):
                break
            time.sleep(draw.random())
            last = i == len(done_at) - 1
            victim = sweep.pid if last else draw.choice(workers_of(sweep.pid))
            os.kill(victim, 9)
            n_killed += 1
            moments.append({"after_s": round(time.time() - began, 1), "sweep_itself": last})
            print(f"--- killed {'the sweep' if last else 'a worker'} ({victim})", flush=True)
        sweep.wait()
    with sweeping(words) as sweep:
        code = sweep.wait()
    seconds = time.time() - began
    before, after = repairs(), repairs()
    return {
        "kills": n_killed,
        "moments": moments,
        "exit_status": code,
        "wall_seconds": round(seconds, 1),
        "repaired": before,
        "repaired_again": after,
    } | look()


def look() -> dict[str, Any]:
    """Count places, doubles, losses, and what a trial costs beside its training."""
    study, _ = load_study(
        study_names(open_storage("sqlite:///studies.db"))[0], open_storage("sqlite:///studies.db")
    )
    trials = study.get_trials(deepcopy=False)
    states = Counter(state_of(trial) for trial in trials)
    finished = Counter(
        first_attempt(t) for t in trials if state_of(t) in ("complete", "pruned", "failed")
    )
    places = {first_attempt(trial) for trial in trials}
    client = MlflowClient()
    runs = []
    page = client.search_runs(["0"], "tags.stage = 'trial'", max_results=1000)
    while True:
        runs += page
        if not page.token:
            break
        page = client.search_runs(
            ["0"], "tags.stage = 'trial'", max_results=1000, page_token=page.token
        )
    shown = {int(run.data.tags["trial.number"]): run.data.tags["state"] for run in runs}
    overhead = {
        kind: [
            run.data.metrics[f"time/overhead_{kind}"]
            for run in runs
            if f"time/overhead_{kind}" in run.data.metrics
        ]
        for kind in ("seconds", "cpu_seconds")
    }
    return {
        "states": dict(states),
        "n_places": len(places),
        "n_finished_once": sum(1 for n in finished.values() if n == 1),
        "n_lost": len(places - set(finished)),
        "n_doubled": sum(1 for n in finished.values() if n > 1),
        "n_runs": len(runs),
        "mlflow_agrees": len(runs) == len(shown)
        and shown == {t.number: state_of(t) for t in trials},
        "overhead": {
            kind: {
                "median": round(float(np.median(found)), 3),
                "p95": round(float(np.percentile(found, 95)), 3),
                "n_trials": len(found),
            }
            for kind, found in overhead.items()
            if found
        },
    }


def speed(options: argparse.Namespace, flags: list[str]) -> dict[str, Any]:
    """Do one list of trials with one worker and with two, in turns."""
    turns: list[dict[str, Any]] = []
    for repeat in range(options.repeats):
        for n_workers in (1, 2) if repeat % 2 == 0 else (2, 1):
            name = f"speed-{repeat}-{n_workers}"
            words = [f"--n_trials={options.n_trials}", f"--workers={n_workers}", f"--study={name}"]
            words += ["--sampler=random", "--pruner=none", *flags]
            with sweeping(words) as sweep:
                queued = queued_seconds(sweep, name)
                assert sweep.wait() == 0
            study, _ = load_study(name, open_storage("sqlite:///studies.db"))
            trials = study.get_trials(deepcopy=False)
            started = [t.datetime_start for t in trials if t.datetime_start is not None]
            ended = [t.datetime_complete for t in trials if t.datetime_complete is not None]
            assert len(started) == len(ended) == len(trials), "a trial is not done"
            seconds = (max(ended) - min(started)).total_seconds()
            turns.append(
                {
                    "workers": n_workers,
                    "seconds": round(seconds, 2),
                    "queued_seconds_per_worker": round(sum(queued) / len(queued), 2),
                    "seconds_on_free_cores": round(seconds - sum(queued) / len(queued), 2),
                    "load_average": round(os.getloadavg()[0], 1),
                    "cpu_seconds": round(sum(t.user_attrs["cpu_seconds"] for t in trials), 2),
                    "params": [t.params for t in trials],
                }
            )
    assert all(turn["params"] == turns[0]["params"] for turn in turns), "not the same list"
    for turn in turns:
        del turn["params"]

    def ratio(kind: str) -> float:
        one, two = (np.mean([t[kind] for t in turns if t["workers"] == n]) for n in (1, 2))
        return round(float(one / two), 3)

    return {
        "turns": turns,
        "two_workers_are_faster_by": ratio("seconds"),
        "two_workers_are_faster_by_on_free_cores": ratio("seconds_on_free_cores"),
    }


def queued_seconds(sweep: subprocess.Popen[bytes], name: str) -> list[float]:
    """Watch a sweep to its end; return how long each worker stood in a queue for a core.

    From the study's first trial on. The kernel counts it (second number of ``/proc/ID/schedstat``):
    it is what other programs on the machine cost. Whatever workers wait for otherwise (locks,
    disks, each other) is not in it.
    """
    storage = open_storage("sqlite:///studies.db")
    while sweep.poll() is None and name not in study_names(storage):
        time.sleep(0.3)
    study, _ = load_study(name, storage)
    first: dict[int, float] = {}
    last: dict[int, float] = {}
    while sweep.poll() is None:
        if any(state_of(t) != "waiting" for t in study.get_trials(deepcopy=False)):
            for pid in workers_of(sweep.pid) if not last else list(first):
                with contextlib.suppress(OSError):
                    words = Path(f"/proc/{pid}/schedstat").read_text().split()
                    last[pid] = int(words[1]) / 1e9
                    first.setdefault(pid, last[pid])
        time.sleep(0.3)
    return [last[pid] - first[pid] for pid in last]


@contextlib.contextmanager
def sweeping(words: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a sweep until the block ends."""
    process = subprocess.Popen([sys.executable, "-m", "projects.sweep", *words])
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def workers_of(pid: int) -> list[int]:
    """Find the processes that train: children of the fork server, a child of the sweep."""
    while True:
        servers = [
            c for c in psutil.Process(pid).children() if "forkserver" in " ".join(c.cmdline())
        ]
        found = [worker.pid for server in servers for worker in server.children()]
        if found:
            return found
        time.sleep(0.1)


def n_ended(folder: Path, opened: dict[str, Any]) -> int:
    """Count the trials that some worker has begun and left; ``opened`` keeps the connection."""
    if "study" not in opened:
        if not (folder / "studies.db").exists():
            return 0
        storage = opened.setdefault("storage", open_storage(f"sqlite:///{folder}/studies.db"))
        names = study_names(storage)
        if not names:
            return 0
        opened["study"] = load_study(names[0], storage)[0]
    states = Counter(state_of(trial) for trial in opened["study"].get_trials(deepcopy=False))
    return sum(states.values()) - states["waiting"] - states["running"]


def wait_until(happens: Any, sweep: subprocess.Popen[bytes]) -> bool:
    """Wait for something while the sweep lives."""
    while sweep.poll() is None:
        if happens():
            return True
        time.sleep(0.3)
    return False


def repairs() -> dict[str, float]:
    """Run the reconcile stage and return what it found."""
    cook("reconcile")
    newest = MlflowClient().search_runs(["0"], "tags.stage = 'reconcile'", max_results=1)[0]
    return {name.split("/")[1]: n for name, n in newest.data.metrics.items()}


def machine() -> dict[str, Any]:
    """Say where this was measured, and how busy it was."""
    return {"cores": os.cpu_count(), "load_average": [round(x, 1) for x in os.getloadavg()]}


if __name__ == "__main__":
    main()
