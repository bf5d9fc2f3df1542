"""What kills, wrong input, a dying database and an hour of work found: figures and their table.

    python -m tests.faults.kills --kills 200 --seed 17 --seconds 86400
    python -m tests.faults.fuzz --cases 10000
    python -m tests.faults.soak --minutes 60
    pytest tests/e2e/test_outage.py
    python -m benchmarks.faults           # keeps what those four left in build/faults

Result: ``benchmarks/results/faults.json``; the tables stand in docs/promises.md.
"""

from __future__ import annotations

import json
from typing import Any

from benchmarks.pages import ROOT, Block

RESULT = ROOT / "benchmarks" / "results" / "faults.json"
LEFT = ROOT / "build" / "faults"
PAGE = "docs/promises.md"


def blocks() -> list[Block]:
    """Make the tables of docs/promises.md from the committed result."""
    found = json.loads(RESULT.read_text())
    return [Block(PAGE, "tried", tried(found)), Block(PAGE, "soak", soak(found["soak"]))]


def tried(found: dict[str, Any]) -> str:
    """Say how much was tried, and what came of it."""
    kills, fuzz, outage = found["kills"], found["fuzz"], found["outage"]
    targets = ", ".join(f"{name} {n}" for name, n in kills["by_target"].items())
    rooms = ", ".join(f"{name} {n:,}" for name, n in fuzz["by_room"].items())
    counted = ", ".join(f"{kills[kind]} {said}" for kind, said in _KINDS.items())
    return "\n".join(
        [
            "| Tried | How much | What came of it |",
            "|---|---|---|",
            f"| kills at random moments (seed {kills['seed']}) | {kills['n_kills']}: {targets} | "
            f"{counted} |",
            f"| wrong and damaged input | {fuzz['n_cases']:,}: {rooms} | "
            f"{fuzz['n_slices_failed']} tracebacks, hangs or silent changes |",
            f"| PostgreSQL killed under a training and a sweep of {outage['workers']} workers | "
            f"{outage['deaths']} times | {outage['lost']} of {outage['metrics']:,} metrics and of "
            f"{outage['trials']} trials lost |",
        ]
    )


_KINDS = {"lost": "lost", "changed": "changed", "stuck": "stuck", "leftovers": "left something"}


def soak(found: dict[str, Any]) -> str:
    """Show every figure of the second quarter of the rounds beside that of the last."""
    subjects = found["subjects"]
    figures = ["memory_mb", "files", "threads", "processes", "temporary"]
    lines = [
        f"| {found['minutes']:g} minutes | rounds | memory, MB | open files | threads | processes "
        "| temporary files |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, known in subjects.items():
        cells = [
            f"{known[figure]['second_quarter']:g} → {known[figure]['last_quarter']:g}"
            + ("" if known[figure]["flat"] else " (grows)")
            for figure in figures
        ]
        lines.append(f"| {name} | {known['n_rounds']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Keep what was left behind, and write the tables."""
    found = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    for name in ("kills", "fuzz", "soak", "outage"):
        path = LEFT / f"{name}.json"
        if path.is_file():
            found[name] = json.loads(path.read_text())
    RESULT.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    for block in blocks():
        block.write()
    print(tried(found), soak(found["soak"]), sep="\n\n")


if __name__ == "__main__":
    main()
