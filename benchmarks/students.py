"""Students and position schemes on validation: the trials behind docs/students.md.

    python -m benchmarks.students run ml-100k rotary relative ligr --seeds 0 1 2 3   # resumable
    python -m benchmarks.students table                             # only write the tables anew

Every trial is `train_baseline -P preset=full` with the words of `TRIALS` on top, trained and
validated; no test part is read. One file per trial and seed stays in `results/students/`.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from benchmarks.baselines import PRESET_THEN
from benchmarks.pages import Block
from projects.train_baseline import Config
from recdistill.config import parse
from recdistill.data import DataConfig, prepare
from recdistill.training import fit_student

if TYPE_CHECKING:
    from recdistill.students import StudentKind

RESULTS = Path(__file__).parent / "results" / "students"
PAGE = "docs/students.md"

TRIALS: dict[str, list[str]] = {
    "rotary": [],
    "relative": ["--student.positions=relative"],
    "decay": ["--student.positions=decay"],
    "oldest": ["--student.positions=oldest"],
    "none": ["--student.positions=none"],
    "ligr": ["--model=ligr"],
    "hstu": ["--model=hstu"],
    "hstu-last": ["--model=hstu", "--student.query_time=last"],
    "hstu-known": ["--model=hstu", "--student.query_time=known"],
    "gru4rec": ["--model=gru4rec", "--student.n_blocks=1", "--loss_options.label_smoothing=0"],
    # For seeds to differ less on ML-1M: the rate reaches zero later, or the average spans more than
    # an epoch, as .99 does on ML-100K (60 steps an epoch, where ML-1M has 600).
    "longer": ["--max_epochs=27"],
    "averaged": ["--ema_decay=0.9985"],
    "longer-averaged": ["--max_epochs=27", "--ema_decay=0.9985"],
}
# Told when its targets happen: another protocol, below the line that nothing crosses.
TOLD = {"hstu-known": "another task, told when its targets happen: hstu-known"}
# Trained by the code before the schemes came, and by no command of this one.
BEFORE = {"newest": "positions counted from the newest item, as it was before (commit 8f30f42)"}


def run(dataset: str, trial: str, seed: int) -> None:
    """Train and validate what has no file yet."""
    path = RESULTS / dataset / f"{trial}-s{seed}.json"
    if path.is_file():
        return
    words = ["--dataset", dataset, "--preset", "full", "--seed", str(seed)]
    words += [*PRESET_THEN.get(dataset, ()), *TRIALS[trial]]
    config = parse(Config, "train_baseline", words)
    data = prepare(DataConfig(dataset=dataset))
    recipe = config.recipe(cast("StudentKind", config.model))
    checkpoints = Path("outputs") / "students" / dataset / f"{trial}-s{seed}"
    began = time.process_time()

    def log(metrics: object, epoch: int) -> None:
        print(trial, seed, epoch, metrics, flush=True)

    fitted = fit_student(recipe, data, seed=seed, log=log, checkpoint_folder=checkpoints)
    made = {
        "trial": trial,
        "words": words,
        "recipe": asdict(recipe),
        "n_parameters": fitted.metrics()["model/n_parameters"],
        "cpu_seconds": round(time.process_time() - began, 1),
        "load_average": round(os.getloadavg()[0], 1),
        "best": fitted.result.best,
        "history": fitted.result.history,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


def trials(dataset: str) -> dict[str, list[dict[str, Any]]]:
    """Read the files of a data set, seeds in order."""
    folder = RESULTS / dataset
    found = {
        name: [json.loads(path.read_text()) for path in sorted(folder.glob(f"{name}-s*.json"))]
        for name in [*TRIALS, *BEFORE]
    }
    return {name: files for name, files in found.items() if files}


def table(dataset: str) -> str:
    """One line per trial, the best on top; those of another protocol below all others."""
    head = [
        "| trial | seeds | recall@10 | NDCG@10 | SD of NDCG@10 over seeds | epoch selected "
        "| targets per CPU second |",
        "|---|---|---|---|---|---|---|",
    ]
    lines = {}
    for name, files in trials(dataset).items():
        recall, ndcg, epoch, speed = (
            np.array([f["best"][key] for f in files])
            for key in (
                "val/recall_at_10",
                "val/ndcg_at_10",
                "epoch",
                "train/targets_per_cpu_second",
            )
        )
        spread = f"{ndcg.std(ddof=1):.4f}" if len(files) > 1 else ""
        lines[name] = (
            name not in TOLD,
            ndcg.mean(),
            f"| {(BEFORE | TOLD).get(name, name)} | {len(files)} | {recall.mean():.4f} "
            f"| {ndcg.mean():.4f} | {spread} "
            f"| {epoch.min():.0f} to {epoch.max():.0f} | {speed.mean():,.0f} |",
        )
    return "\n".join([*head, *(line for *_, line in sorted(lines.values(), reverse=True))])


def blocks() -> list[Block]:
    """Make the page's tables."""
    return [
        Block(PAGE, f"students {folder.name}", table(folder.name))
        for folder in sorted(RESULTS.iterdir())
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["run", "table"])
    parser.add_argument("dataset", nargs="?", default="ml-100k")
    parser.add_argument("trials", nargs="*", default=list(TRIALS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3])
    asked = parser.parse_args()
    if asked.command == "run":
        for seed in asked.seeds:
            for trial in asked.trials:
                run(asked.dataset, trial, seed)
    for block in blocks():
        block.write()


if __name__ == "__main__":
    main()
