"""How long a comparison of many runs takes to build, and its page to open in Chromium.

    python -m benchmarks.report_speed           # a hundred runs of ML-100K's size
    python -m benchmarks.report_speed million   # 20 models, 8 seeds, a million users; 2 GB of disk

The runs are written into a store of their own the way stages write them, with parameters, metrics
and per-user tables. Built means, in a process of its own, imports and all: selecting the runs,
reading their tables, all paired tests, figures and files. Opened means: from the address to the
page's ``load`` event and the next drawn frame.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
from mlflow import MlflowClient

from benchmarks.pages import Block
from recdistill.reporting import Resampling, compare_groups, load_groups, select_runs, write_report

if TYPE_CHECKING:
    from _browser import Browser

RESULT = Path(__file__).parent / "results" / "report_speed.json"


@dataclass(frozen=True)
class Size:
    """How much is compared."""

    n_models: int
    n_seeds: int
    n_users: int


SIZES = {"hundred": Size(20, 5, 943), "million": Size(20, 8, 1_000_000)}


def write_runs(folder: Path, size: Size) -> None:
    """Fill a store with the runs."""
    from tests.unit.reporting.small_runs import Store, per_user

    uri = f"sqlite:///{folder}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    client = MlflowClient(uri)
    experiment = client.create_experiment("speed", artifact_location=str(folder / "artifacts"))
    store = Store(client, folder, experiment)
    for model in range(size.n_models):
        for seed in range(size.n_seeds):
            store.write(
                "sasrec",
                seed=seed,
                name=f"lam{model / 10:.1f}-s{seed}-distill",
                stage="train_baseline" if model == 0 else "distill",
                params={"listwise_weight": f"{model / 10:.1f}"},
                table=per_user(2 + model / 100, 1000 * model + seed, size.n_users),
            )


def build(folder: Path) -> None:
    """Do what ``compare`` does between its command and its page."""
    runs = select_runs(MlflowClient(f"sqlite:///{folder}/mlflow.db"), "tags.dataset = 'tiny'")
    comparison = compare_groups(load_groups(runs), resampling=Resampling(10_000, 0))
    assert sum(len(row.group.runs) for row in comparison.rows) == len(runs)
    write_report(comparison, folder / "report")


def built(folder: Path) -> dict[str, float]:
    """Build in a process of its own; return what that took."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", __spec__.name, "build", str(folder)], check=True)
    wall = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "build_seconds": round(wall, 1),
        "build_cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_gib": round(used.ru_maxrss / 2**20, 2),
    }


def open_page(browser: Browser, page: Path) -> float:
    """Return the seconds until the page is loaded and drawn."""
    browser.driver.set_script_timeout(60)
    started = time.perf_counter()
    browser.driver.get(page.as_uri())
    drawn = "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))"
    browser.driver.execute_async_script(drawn)
    return time.perf_counter() - started


def measure(name: str) -> None:
    """Write the runs, build the report, open it, and keep what that took."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "e2e"))
    from _browser import Browser

    with tempfile.TemporaryDirectory() as kept:
        folder, size = Path(kept), SIZES[name]
        write_runs(folder, size)
        found = asdict(size) | built(folder)
        page = folder / "report" / "report.html"
        with Browser(folder) as browser:
            found["open_seconds"] = round(min(open_page(browser, page) for _ in range(3)), 2)
        found["page_mb"] = round(page.stat().st_size / 1e6, 2)
    known = json.loads(RESULT.read_text("utf-8")) if RESULT.is_file() else {}
    known[name] = found | {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "cpus": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 1),
    }
    RESULT.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(known[name], indent=1))


def blocks() -> list[Block]:
    """Make the page's sentences."""
    known = json.loads(RESULT.read_text("utf-8"))
    said = [
        f"- {one['n_models']} models with {one['n_seeds']} trainings each on {one['n_users']:,} "
        f"users: built in {one['build_cpu_seconds']:.1f} CPU seconds, imports and figures "
        f"included, within {one['peak_gib']:.2f} GiB; Chromium opens the page of "
        f"{one['page_mb']:.2f} MB in {one['open_seconds']:.2f} s."
        for one in known.values()
    ]
    return [Block("docs/benchmarks.md", "report", "\n".join(said))]


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=[*SIZES, "build"], default="hundred")
    parser.add_argument("folder", nargs="?", type=Path)
    asked = parser.parse_args()
    if asked.what == "build":
        build(asked.folder)
    else:
        measure(asked.what)


if __name__ == "__main__":
    main()
