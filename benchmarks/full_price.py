"""What `main --preset=full` of a data set took, so that it can say its price beforehand.

    recdistill main --preset=full --dataset=amazon-beauty --n_seeds=1
    python -m benchmarks.full_price amazon-beauty   # keeps the newest such run's steps
    python -m benchmarks.full_price                 # the table

One seed is enough: a step's cost does not depend on how often it is done.
"""

from __future__ import annotations

import json
import sys
from statistics import mean
from typing import TYPE_CHECKING

from benchmarks.demo import newest_record
from benchmarks.pages import ROOT, Block
from projects.main import Config
from recdistill.config import parse
from recdistill.experiment import MEASURED, plan

if TYPE_CHECKING:
    from pathlib import Path

PAGE = "docs/guides/a_whole_experiment.md"
NAMES = {
    "data": "prepare the data",
    "texts": "read the items' texts",
    "floors": "count the floors",
    "baseline": "train a baseline",
    "beside": "train a network beside it",
    "network": "train a network of a pool",
    "transfer": "ask a pool about all views",
    "student": "train a student",
    "control": "train a control",
    "comparison": "compare everything",
}


def path_of(dataset: str) -> Path:
    """Name a data set's record."""
    return ROOT / "docs" / "assets" / MEASURED["full", dataset]


def costs(dataset: str) -> dict[str, float]:
    """Read the CPU seconds of one step of each kind."""
    steps = json.loads(path_of(dataset).read_text("utf-8"))["steps"]
    return {
        kind: mean([step["cpu_seconds"] for step in steps if step["kind"] == kind])
        for kind in {step["kind"] for step in steps}
    }


def table() -> str:
    """One line a step, its number and its cost on each data set; then all of them together."""
    measured = {d: costs(d) for preset, d in MEASURED if preset == "full" and path_of(d).is_file()}
    planned = {
        dataset: {
            step.kind: step.n
            for step in plan(parse(Config, "main", ["--preset=full", f"--dataset={dataset}"])).steps
        }
        for dataset in measured
    }
    lines = [
        f"| CPU seconds of one core | {' | '.join(measured)} |",
        f"|---|{'---:|' * len(measured)}",
    ]
    for kind, words in NAMES.items():
        cells = [
            f"{planned[d][kind]} x {own[kind]:.0f}" if kind in own and kind in planned[d] else ""
            for d, own in measured.items()
        ]
        lines.append(f"| {words} | {' | '.join(cells)} |")
    hours = [sum(own[k] * n for k, n in planned[d].items()) / 3600 for d, own in measured.items()]
    lines.append(f"| all, hours | {' | '.join(f'{one:.1f}' for one in hours)} |")
    return "\n".join(lines)


def blocks() -> list[Block]:
    """Make the guide's table."""
    return [Block(PAGE, "full price", table())]


def main() -> None:
    """Keep the record of the tracking store in use."""
    for dataset in sys.argv[1:]:
        record = newest_record(dataset, "full")
        path_of(dataset).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        print(f"{dataset}: {len(record['steps'])} steps, {record['cpu_seconds']:.0f} CPU seconds")
    for block in blocks():
        block.write()


if __name__ == "__main__":
    main()
