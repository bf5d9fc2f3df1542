"""How often each test part was met: in files, and in the history alone.

    python -m benchmarks.looks      # the table

A file of users' ranks is a look; those that left none stand in `results/looks.json`, by hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.pages import Block

RESULTS = Path(__file__).parent / "results"
PAGE = "docs/results.md"
# Names of the test parts, and the folders whose files are of them. Another split of the same rows
# is another test part.
PARTS = {
    "amazon-beauty": ("Amazon Beauty", ("amazon-beauty", "amazon-beauty-test")),
    "ml-1m-sasrec": ("MovieLens-1M", ("ml-1m-sasrec",)),
    "ml-100k": ("MovieLens-100K", ("ml-100k",)),
    "online-retail": ("Online Retail, new products", ("online-retail-test",)),
    "ml-1m-films": ("MovieLens-1M, held-out films", ("ml-1m-films-test",)),
}


def in_files(part: str) -> int:
    """Count the models whose ranks are kept."""
    return sum(path.parent.name in PARTS[part][1] for path in RESULTS.rglob("*.parquet"))


def in_history(part: str) -> list[dict[str, Any]]:
    """Read the looks that left no file: how many, and what they were."""
    entries: dict[str, list[dict[str, Any]]] = json.loads((RESULTS / "looks.json").read_text())
    return entries.get(part, [])


def n_looks(part: str) -> int:
    """Count all of them."""
    return in_files(part) + sum(int(entry["looks"]) for entry in in_history(part))


def table() -> str:
    """Write one line a test part, then what the history has."""
    lines = [
        "| data | models with a file here | in the history alone | together |",
        "|---|---|---|---|",
    ]
    told = []
    for part, (name, _) in PARTS.items():
        kept, every = in_files(part), n_looks(part)
        lines.append(f"| {name} | {kept} | {every - kept} | {every} |")
        told += [f"- {name}: {entry['looks']}, {entry['what']}." for entry in in_history(part)]
    return "\n".join([*lines, "", "In the history alone:", "", *told])


def blocks() -> list[Block]:
    """Make the page's table."""
    return [Block(PAGE, "looks", table())]


if __name__ == "__main__":
    print(table())
