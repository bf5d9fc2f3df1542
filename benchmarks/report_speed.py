"""How long a comparison of a hundred runs takes to build, and its page to open in Chromium.

    python -m benchmarks.report_speed

The runs are written into a store of their own the way stages write them: 20 models in 5 seeds,
943 users each, with parameters, metrics and per-user tables. Built means: selecting the runs,
reading their tables, all paired tests, figures and files. Opened means: from the address to the
page's ``load`` event and the next drawn frame.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import mlflow
from mlflow import MlflowClient

from recdistill.reporting import Resampling, compare_groups, load_groups, select_runs, write_report
from tests.unit.reporting.small_runs import Store, per_user

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "e2e"))
from _browser import Browser

RESULT = Path(__file__).parent / "results" / "report_speed.json"
N_MODELS, N_SEEDS, N_USERS = 20, 5, 943


def write_runs(folder: Path) -> MlflowClient:
    """Fill a store with the hundred runs."""
    uri = f"sqlite:///{folder}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    client = MlflowClient(uri)
    experiment = client.create_experiment("speed", artifact_location=str(folder / "artifacts"))
    store = Store(client, folder, experiment)
    for model in range(N_MODELS):
        for seed in range(N_SEEDS):
            store.write(
                "sasrec",
                seed=seed,
                name=f"lam{model / 10:.1f}-s{seed}-distill",
                stage="train_baseline" if model == 0 else "distill",
                params={"listwise_weight": f"{model / 10:.1f}"},
                table=per_user(2 + model / 100, 1000 * model + seed, N_USERS),
            )
    return client


def build(client: MlflowClient, folder: Path) -> Path:
    """Do what ``compare`` does between its command and its page."""
    runs = select_runs(client, "tags.dataset = 'tiny'")
    assert len(runs) == N_MODELS * N_SEEDS
    comparison = compare_groups(load_groups(runs), resampling=Resampling(10_000, 0))
    write_report(comparison, folder)
    return folder / "report.html"


def open_page(browser: Browser, page: Path) -> float:
    """Return the seconds until the page is loaded and drawn."""
    browser.driver.set_script_timeout(60)
    started = time.perf_counter()
    browser.driver.get(page.as_uri())
    drawn = "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))"
    browser.driver.execute_async_script(drawn)
    return time.perf_counter() - started


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        client = write_runs(folder)
        wall, cpu = time.perf_counter(), time.process_time()
        page = build(client, folder / "report")
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        with Browser(folder) as browser:
            opened = sorted(open_page(browser, page) for _ in range(3))
        result = {
            "date": datetime.now(UTC).isoformat(timespec="minutes"),
            "cpus": os.cpu_count(),
            "load_average": os.getloadavg()[0],
            "n_runs": N_MODELS * N_SEEDS,
            "n_users": N_USERS,
            "build_seconds": round(wall, 2),
            "build_cpu_seconds": round(cpu, 2),
            "open_seconds": [round(seconds, 2) for seconds in opened],
            "page_mb": round(page.stat().st_size / 1e6, 2),
        }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
