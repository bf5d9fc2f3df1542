"""What a distillation epoch costs beside a baseline epoch: same positions, in turns, one thread.

    python -m benchmarks.distillation_speed
    python -m benchmarks.distillation_speed --dataset ml-1m-sasrec --rounds 2

Both sides train the published baseline's network on the same training histories with the same
batches; the distilled ones have lists of a counter beside the labels. Processor seconds of two
epochs, validation left out. Sides take turns, so that the machine's other work falls on all.
Result: ``benchmarks/results/distillation_speed.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchmarks import baselines
from recdistill.data import DataConfig, prepare
from recdistill.distillation import ListwiseConfig, Teaching, TermConfigs, distil_student
from recdistill.floors import fit_floor
from recdistill.lessons import Pool, ViewsConfig, draw_views, label_views

RESULT = Path(__file__).parent / "results" / "distillation_speed.json"
EPOCHS = 2
SIDES: dict[str, tuple[dict[str, float], ListwiseConfig]] = {
    "baseline": ({}, ListwiseConfig()),
    "listwise, 30 items and a tail": ({"listwise": 1.0}, ListwiseConfig(1.0, "bucket")),
    "listwise, 30 items": ({"listwise": 1.0}, ListwiseConfig(1.0, "empty")),
    "ranking": ({"ranking": 0.5}, ListwiseConfig()),
    "dros": ({"dros": 0.1}, ListwiseConfig()),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="ml-100k", choices=["ml-100k", "ml-1m-sasrec"])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = prepare(DataConfig(dataset=options.dataset))
    pool = Pool([fit_floor("counter", data.train, data.catalog)], [1.0], data.catalog.digest)
    views = draw_views(data.train, ViewsConfig(n_views=1), seed=0)
    lessons = label_views(pool, views, data, k=30, n_folds=2)
    recipe = baselines.settings(options.dataset, "sasrec", 0).recipe("sasrec")
    # Validation is not an epoch's part: once, at the end of either side.
    loop = replace(recipe.loop, max_epochs=EPOCHS, validate_every=EPOCHS)
    recipe = replace(recipe, loop=loop)
    seconds: dict[str, list[float]] = {side: [] for side in SIDES}
    for _ in range(options.rounds):
        for side, (weights, listwise) in SIDES.items():
            teaching = Teaching(lessons, weights, TermConfigs(listwise=listwise), inspect_every=0)
            with tempfile.TemporaryDirectory() as folder:
                started = time.process_time()
                distil_student(recipe, teaching, data, seed=0, checkpoint_folder=Path(folder))
                seconds[side].append(time.process_time() - started)
    ratios = {
        side: statistics.median(t / b for t, b in zip(took, seconds["baseline"], strict=True))
        for side, took in seconds.items()
    }
    results = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    results[options.dataset] = {
        "epochs": EPOCHS,
        "cpu_seconds": {side: [round(s, 1) for s in took] for side, took in seconds.items()},
        "ratio": {side: round(ratio, 3) for side, ratio in ratios.items()},
        "load_average": round(os.getloadavg()[1], 1),
        "date": datetime.now(UTC).date().isoformat(),
    }
    RESULT.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(results[options.dataset], indent=1))


if __name__ == "__main__":
    main()
