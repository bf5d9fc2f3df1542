"""What asking teachers about a transfer set costs, beside an older checkout: in turns, one thread.

    python -m benchmarks.labelling_speed --before ../older

The pool is of a SASRec of the data's settings (its weights, which no cost depends on, are drawn)
and of floors. CPU seconds of the lists at a thousand positions of some users' histories, and of
what is paid once: floors fitted anew without each of twenty folds of users.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.pages import Block

RESULT = Path(__file__).parent / "results" / "labelling_speed.json"
DATA = {
    "ml-100k": ("counter", "knn", "ease"),
    "ml-1m-sasrec": ("counter", "knn", "ease"),
    "amazon-beauty": ("counter", "knn", "tfidf"),
}
USERS = {"ml-100k": 400, "ml-1m-sasrec": 200, "amazon-beauty": 800}
ROUNDS, FOLDS = 3, 20


def measured(dataset: str) -> dict[str, float]:
    """Label once with the code that is on the path."""
    import numpy as np
    import torch

    from recdistill.data import DataConfig, prepare
    from recdistill.floors import fit_floor
    from recdistill.lessons import Pool, ViewsConfig, draw_views, score_positions
    from recdistill.lessons._top_lists import collect_lessons
    from recdistill.students import StudentConfig, StudentRecommender, build_student

    torch.set_num_threads(1)
    data = prepare(DataConfig(dataset=dataset))
    config = StudentConfig(max_length=200 if dataset.startswith("ml-1m") else 50)
    network = build_student(config, data.catalog.n_items, seed=0, train=data.train).eval()
    student = StudentRecommender(network, config, data.catalog.digest, data.split_digest)
    floors = [fit_floor(kind, data.train, data.catalog) for kind in DATA[dataset]]
    pool = Pool([student, *floors], [1.0, 0.1, 0.1, 0.1], data.catalog.digest)
    views = draw_views(data.train, ViewsConfig(n_views=1), seed=0)
    few = views.sequences.take(np.arange(USERS[dataset]))

    def ask() -> int:
        parts = score_positions(pool, few, data.catalog.n_items)
        return collect_lessons(parts, few, k=30).n_covered

    ask()  # what the first part made, the others use again
    began = time.process_time()
    n = ask()
    each = (time.process_time() - began) / n
    fold = np.arange(0, len(data.train), FOLDS)
    began = time.process_time()
    pool.without(fold, data)
    return {"per_thousand": 1000 * each, "once": FOLDS * (time.process_time() - began)}


def side(checkout: Path, dataset: str) -> dict[str, float]:
    """Measure one checkout in a process of its own."""
    paths = os.pathsep.join([str(checkout / "src"), str(checkout)])
    environment = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    words = [sys.executable, __file__, "--child", dataset]
    done = subprocess.run(words, env=environment, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def blocks() -> list[Block]:
    """Make the page's table."""
    from benchmarks.pages import Block, table

    known = json.loads(RESULT.read_text("utf-8"))
    rows = []
    for dataset, sides in known["data"].items():
        cells = []
        for name in ("per_thousand", "once"):
            before, now = (sides[side][name] for side in ("before", "now"))
            cells += [f"{before:.2f}", f"{now:.2f}", f"{now / before:.2f}"]
        rows.append([dataset, ", ".join(("SASRec", *DATA[dataset])), *cells])
    head = ["data", "pool", "a thousand positions: before", "now", "ratio", "once: before", "now",
            "ratio"]  # fmt: skip
    return [Block("docs/benchmarks.md", "labelling", table(head, rows))]


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--datasets", nargs="+", default=list(DATA), choices=list(DATA))
    parser.add_argument("--child")
    asked = parser.parse_args()
    if asked.child:
        print(json.dumps(measured(asked.child)))
        return
    here = Path(__file__).parents[1]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=asked.before, check=True, text=True,
        capture_output=True,
    ).stdout.strip()  # fmt: skip
    known = json.loads(RESULT.read_text("utf-8")) if RESULT.is_file() else {}
    # What stands beside another commit is not kept.
    data: dict[str, dict[str, dict[str, float]]] = (
        known["data"] if known.get("before") == commit else {}
    )
    for dataset in asked.datasets:
        rounds = [(side(asked.before, dataset), side(here, dataset)) for _ in range(ROUNDS)]
        data[dataset] = {
            name: {figure: round(min(one[i][figure] for one in rounds), 3)
                   for figure in ("per_thousand", "once")}
            for i, name in enumerate(("before", "now"))
        }  # fmt: skip
        print(dataset, data[dataset], flush=True)
    date = datetime.now(UTC).date().isoformat()
    RESULT.write_text(json.dumps({"before": commit, "date": date, "data": data}, indent=1) + "\n")


if __name__ == "__main__":
    main()
