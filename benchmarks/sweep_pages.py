"""How long a sweep's pages take to open in Chromium: its run in MLflow, its children, its summary.

    python -m benchmarks.sweep_kills kills --keep build/kills
    python -m benchmarks.sweep_pages --store build/kills/mlflow.db

Serves a store that holds a sweep, opens the sweep's run, the view *Sweep trials* and the artifact
``sweep.html`` in a browser with an empty profile, waits until what a person looks for stands there
(the newest child's name, the best trial's, the last plot), and keeps pictures. The first visit also
loads MLflow's own scripts; it is timed apart.
Results: ``benchmarks/results/sweep_pages.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient

from recdistill.runs import run_url
from recdistill.runs._views import VIEWS, view_url

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "e2e"))
from _browser import Browser
from _servers import ROOT, environment, free_port, running

RESULT = ROOT / "benchmarks" / "results" / "sweep_pages.json"
_PLOTS = "return document.querySelectorAll('.js-plotly-plot .main-svg').length"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--store", type=Path, required=True, help="a SQLite file")
    parser.add_argument("--pictures", type=Path, default=ROOT / "build" / "screenshots")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    url = f"http://127.0.0.1:{free_port()}"
    command = [str(ROOT / "tracking" / "local.sh"), url.rsplit(":", 1)[1]]
    env = environment(MLFLOW_TRACKING_URI=f"sqlite:///{options.store.absolute()}")
    options.pictures.mkdir(parents=True, exist_ok=True)
    with running(command, url, options.pictures / "server.log", env):
        found = measure(url, options.pictures, options.repeats)
    RESULT.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


def measure(url: str, pictures: Path, repeats: int) -> dict[str, Any]:
    """Open every page several times; return the seconds of each visit."""
    mlflow.set_tracking_uri(url)
    client = MlflowClient(url)
    trials = client.search_runs(["0"], "tags.stage = 'trial'", max_results=1000)
    sweep = client.get_run(trials[0].data.tags["mlflow.parentRunId"])
    newest = str(trials[0].info.run_name)
    page = Path(client.download_artifacts(sweep.info.run_id, "sweep.html"))
    run_page = run_url(url, "0", sweep.info.run_id)
    best = next(v for v in VIEWS if v.key == "trials")
    table = view_url(url, "0", best)
    top = max(trials, key=lambda run: run.data.metrics.get(best.order_by, 0.0)).info.run_name
    seconds: dict[str, list[float]] = {"run": [], "children": [], "summary": []}
    with Browser(pictures) as browser:
        browser.resize(1500, 1000)
        browser.click_away(url)
        first = opened(browser, run_page, newest)
        for _ in range(repeats):
            seconds["run"].append(opened(browser, run_page, newest))
            browser.screenshot("sweep-run")
            seconds["children"].append(opened(browser, table, str(top)))
            browser.screenshot("sweep-children")
            seconds["summary"].append(opened(browser, page.as_uri(), "Each knob alone", plots=4))
        browser.resize(1250, 3200)
        browser.open(page.as_uri(), shows="Each knob alone")
        browser.find(".js-plotly-plot .main-svg")
        browser.screenshot("sweep-summary")
    return {
        "n_trials": len(trials),
        "summary_kilobytes": round(page.stat().st_size / 1000),
        "first_visit_seconds": round(first, 2),
        "seconds": {name: [round(s, 2) for s in some] for name, some in seconds.items() if some},
        "machine": {
            "cores": os.cpu_count(),
            "load_average": [round(x, 1) for x in os.getloadavg()],
        },
    }


def opened(browser: Browser, url: str, shows: str, *, plots: int = 0) -> float:
    """Return the seconds until ``shows`` stands on the page, and so many plots are drawn."""
    browser.driver.get("about:blank")
    began = time.perf_counter()
    browser.driver.get(url)
    browser.wait_for(shows, 60)
    while plots and browser.driver.execute_script(_PLOTS) < plots:
        if time.perf_counter() - began > 60:
            raise AssertionError(f"no {plots} plots; see {browser.screenshot('failed-plots')}")
        time.sleep(0.1)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
