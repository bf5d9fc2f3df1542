"""What `main --preset=full` of a data set took, so that it can say its price beforehand.

    recdistill main --preset=full --dataset=amazon-beauty --n_seeds=1
    python -m benchmarks.full_price amazon-beauty   # keeps the newest such run's steps
    python -m benchmarks.full_price                 # the table

One seed is enough: a step's cost does not depend on how often it is done.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from benchmarks.demo import NAMES, costs, newest_record
from benchmarks.pages import ROOT, Block
from projects.main import Config
from recdistill.config import parse
from recdistill.experiment import MEASURED, plan

if TYPE_CHECKING:
    from pathlib import Path

PAGE = "docs/guides/a_whole_experiment.md"


def path_of(dataset: str) -> Path:
    """Name a data set's record."""
    return ROOT / "docs" / "assets" / MEASURED["full", dataset]


def table() -> str:
    """One line a kind of step, its number and its cost on each data set; then the hours of all."""
    measured, planned = {}, {}
    for preset, dataset in MEASURED:
        if preset == "full":
            measured[dataset] = costs(json.loads(path_of(dataset).read_text("utf-8")))
            config = parse(Config, "main", ["--preset=full", f"--dataset={dataset}"])
            planned[dataset] = {step.kind: step.n for step in plan(config).steps}
    lines = [
        f"| CPU seconds of one core | {' | '.join(measured)} |",
        f"|---|{'---:|' * len(measured)}",
    ]
    for kind, words in NAMES.items():
        cells = [
            f"{planned[d][kind]} x {own[kind][1]:.0f}" if kind in planned[d] else ""
            for d, own in measured.items()
        ]
        if any(cells):
            lines.append(f"| {words} | {' | '.join(cells)} |")
    seconds = [sum(own[k][1] * n for k, n in planned[d].items()) for d, own in measured.items()]
    lines.append(f"| all, hours | {' | '.join(f'{all_ / 3600:.1f}' for all_ in seconds)} |")
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
