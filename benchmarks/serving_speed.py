"""How fast a promoted student answers over HTTP, in process, and as a batch scorer.

    python -m benchmarks.serving_speed                    # both data sets; a few minutes
    python -m benchmarks.serving_speed --dataset ml-100k

A student of the default size with random weights (speed does not depend on what was learnt) is
packaged exactly as ``promote`` does and served by ``mlflow models serve``. Histories are the real
ones of the test users. Wall-clock figures are those of the machine as loaded (the load average
stands beside them); users per CPU second do not wait for other programs, though they too suffer
from sharing caches with them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import requests

from recdistill.data import DataConfig, PreparedData, prepare
from recdistill.serving import Scoring, TopK, gather_student, log_served_model, score
from recdistill.students import StudentConfig, StudentRecommender, build_student, save_model

if TYPE_CHECKING:
    from collections.abc import Iterator

RESULT = Path(__file__).parent / "results" / "serving_speed.json"
LENGTHS = {"ml-100k": 50, "ml-1m-sasrec": 200}
BATCH = 256
N_SCORED = {"ml-100k": 100_000, "ml-1m-sasrec": 30_000}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--dataset", choices=list(LENGTHS), nargs="*", default=list(LENGTHS))
    parser.add_argument("--requests", type=int, default=500, help="single requests timed")
    parser.add_argument("--seconds", type=float, default=15, help="length of the batch measurement")
    parser.add_argument("--share", type=float, default=1, help="share of the users to score")
    options = parser.parse_args()
    results = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    for dataset in options.dataset:
        data = prepare(DataConfig(dataset=dataset))
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            student = package(data, LENGTHS[dataset], folder)
            results[dataset] = {
                "date": datetime.now(UTC).isoformat(timespec="minutes"),
                "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
                "load_average_before": os.getloadavg()[0],
                "history_length": LENGTHS[dataset],
                "n_items": data.catalog.n_items,
                "in_process": in_process(student, data, options.requests),
                "http": over_http(folder, data, options.requests, options.seconds),
                "batch_scorer": batch_scorer(
                    student, data, folder, int(N_SCORED[dataset] * options.share)
                ),
                "load_average_after": os.getloadavg()[0],
            }
        print(dataset, json.dumps(results[dataset], indent=1), flush=True)
        RESULT.write_text(json.dumps(results, indent=2) + "\n")


def package(data: PreparedData, length: int, folder: Path) -> Path:
    """Make a student as ``train_baseline`` saves it and register it as ``promote`` does."""
    config = StudentConfig(max_length=length)
    model = build_student(config, data.catalog.n_items, seed=0)
    recommender = StudentRecommender(model, config, data.catalog.digest, data.split_digest)
    save_model(recommender, folder / "model")
    student = gather_student(folder / "model", data.folder / "catalog.csv", folder / "student")
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    experiment = mlflow.create_experiment("speed", str(folder / "artifacts"))
    with mlflow.start_run(experiment_id=experiment):
        mlflow.register_model(log_served_model(student, folder, tags={}), "speed")
    return student


def in_process(student: Path, data: PreparedData, n_requests: int) -> dict[str, float]:
    """Time ``TopK`` alone: one user at a time, then everybody."""
    top_k = TopK.read(student)
    histories = data.test.history
    rows = [histories.take(np.array([i])) for i in range(min(n_requests, len(histories)))]
    seconds = []
    for row in rows:
        started = time.perf_counter()
        top_k.recommend(row.items.astype(np.int64), row.offsets, 10)
        seconds.append(time.perf_counter() - started)
    items = histories.items.astype(np.int64)
    rates = []
    for _ in range(3):
        cpu, wall = time.process_time(), time.perf_counter()
        top_k.recommend(items, histories.offsets, 10)
        spent = time.process_time() - cpu, time.perf_counter() - wall
        rates.append([len(histories) / s for s in spent])
    per_cpu, per_wall = np.median(rates, axis=0)
    return percentiles(seconds) | {
        "users_per_second": round(per_wall),
        "users_per_cpu_second": round(per_cpu),
    }


def over_http(folder: Path, data: PreparedData, n_requests: int, seconds: float) -> dict[str, Any]:
    """Time requests to ``mlflow models serve``: single users in turn, then batches from two."""
    raw_ids = data.catalog.items["raw_id"].to_numpy(object)
    tests = data.test.history
    histories = [raw_ids[tests.row(i) - 1].tolist() for i in range(min(len(tests), 2000))]
    with served(folder) as (url, server):
        session = requests.Session()

        def ask(some: list[list[str]]) -> float:
            body: dict[str, list[dict[str, list[str]]] | dict[str, int]] = {
                "dataframe_records": [{"history": h} for h in some],
                "params": {"k": 10},
            }
            started = time.perf_counter()
            answer = session.post(f"{url}/invocations", json=body, timeout=120)
            taken = time.perf_counter() - started
            assert answer.status_code == 200, answer.text
            assert len(answer.json()["predictions"]) == len(some)
            return taken

        for history in histories[:50]:
            ask([history])
        cpu = cpu_seconds(server)
        singles = [ask([histories[i % len(histories)]]) for i in range(n_requests)]
        cpu_single = (cpu_seconds(server) - cpu) / n_requests
        batches = [histories[i : i + BATCH] for i in range(0, len(histories) - BATCH + 1, BATCH)]
        deadline, cpu, started = time.monotonic() + seconds, cpu_seconds(server), time.monotonic()

        def keep_asking(first: int) -> int:
            n = 0
            while time.monotonic() < deadline:
                ask(batches[(first + n) % len(batches)])
                n += 1
            return n

        with ThreadPoolExecutor(2) as clients:
            n_users = BATCH * sum(clients.map(keep_asking, (0, 1)))
        wall, cpu = time.monotonic() - started, cpu_seconds(server) - cpu
    return {
        "batch_1": percentiles(singles) | {"server_cpu_ms": round(1000 * cpu_single, 2)},
        f"batch_{BATCH}": {
            "users_per_second": round(n_users / wall),
            "users_per_server_cpu_second": round(n_users / cpu),
        },
    }


def batch_scorer(student: Path, data: PreparedData, folder: Path, n_users: int) -> dict[str, Any]:
    """Score Parquet to Parquet, the test users over and over under new names."""
    raw_ids = data.catalog.items["raw_id"].to_numpy(object)
    tests = data.test.history
    histories = [raw_ids[tests.row(i) - 1].tolist() for i in range(len(tests))]
    users = folder / "users.parquet"
    schema = pa.schema({"user": pa.int64(), "history": pa.list_(pa.string())})
    with pq.ParquetWriter(users, schema) as writer:
        for start in range(0, n_users, len(histories)):
            n = min(len(histories), n_users - start)
            ids = np.arange(start, start + n)
            writer.write_table(pa.table({"user": ids, "history": histories[:n]}, schema))
    size = max(1000, n_users // 8)
    cpu, wall = time.process_time(), time.perf_counter()
    done = score(student, Scoring("speed", str(users), part_size=size), folder / "scored")
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    assert done.n_users == n_users
    return {
        "n_users": n_users,
        "users_per_second": round(n_users / wall),
        "users_per_cpu_second": round(n_users / cpu),
        "users_per_second_of_two_free_cpus": round(2 * n_users / cpu),
    }


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Serve the registered model until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["models", "serve", "-m", "models:/speed/1", "--env-manager", "local"]
    env = {**os.environ, "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri()}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    with (folder / "server.log").open("w") as log:
        server = psutil.Popen(
            [sys.executable, "-m", "mlflow", *words, "--host", "127.0.0.1", "--port", str(port)],
            env=env, stdout=log, stderr=log,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 300
        while not answers(url):
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit((folder / "server.log").read_text())
            time.sleep(0.5)
        yield url, server
    finally:
        family = [*server.children(recursive=True), server]
        for process in family:
            process.terminate()
        psutil.wait_procs(family, timeout=20)


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/ping", timeout=2).status_code == 200
    except requests.RequestException:
        return False


def cpu_seconds(server: psutil.Process) -> float:
    times = [p.cpu_times() for p in (server, *server.children(recursive=True))]
    return sum(t.user + t.system for t in times)


def percentiles(seconds: list[float]) -> dict[str, float]:
    at = {"p50_ms": 50, "p95_ms": 95, "p99_ms": 99}
    return {name: round(1000 * float(np.percentile(seconds, p)), 2) for name, p in at.items()}


if __name__ == "__main__":
    main()
