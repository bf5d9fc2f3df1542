"""The command line; see the package."""

from __future__ import annotations

import argparse
from pathlib import Path

import benchmarks.distillation
from benchmarks.distillation import worth
from benchmarks.distillation.run import run, try_settings
from benchmarks.distillation.settings import SETTINGS
from benchmarks.distillation.tables import blocks


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=benchmarks.distillation.__doc__)
    parser.add_argument("command", choices=["try", "run", "worth", "table"])
    parser.add_argument("datasets", nargs="*", default=list(SETTINGS))
    parser.add_argument("--seeds", type=int, help="default: as many as settings.py says")
    parser.add_argument("--state", type=Path, default=Path("outputs/distillation"))
    asked = parser.parse_args()
    for dataset in asked.datasets:
        if asked.command == "try":
            try_settings(dataset, asked.state)
        if asked.command == "run":
            run(dataset, asked.state, asked.seeds)
        if asked.command == "worth":
            worth.measure(dataset, asked.state, asked.seeds)
    if asked.command == "table":
        for block in blocks():
            block.write()


if __name__ == "__main__":
    main()
