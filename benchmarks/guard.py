"""Ratios and exponents that the speed benchmarks must keep; the last step of ``make bench``.

    python -m benchmarks.guard

Absolute times depend on the machine; a ratio of two measurements taken in turns does not, nor does
an exponent. Each is read from a committed result file and has a bound, some way from what was
measured so that noise does not break it, and the aim that the project set itself. Ends with exit
code 1 and the names of those beyond their bounds.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.pages import Block, table
from benchmarks.scaling import exponent

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Bound:
    """A figure of a result file and how far it may go.

    Attributes
    ----------
    says : str
    file : str
        Name in ``benchmarks/results`` without its end.
    at : tuple of str
        The way to the figure inside the file; a curve stands for its exponent.
    side : "at least" or "at most"
    bound : float
    aim : float, optional
        Where the project set itself one.
    """

    says: str
    file: str
    at: tuple[str, ...]
    side: Literal["at least", "at most"]
    bound: float
    aim: float | None = None

    def figure(self, folder: Path = RESULTS) -> float:
        """Read the figure."""
        found: Any = json.loads((folder / f"{self.file}.json").read_text(encoding="utf-8"))
        for name in self.at:
            found = found[name]
        return exponent(found) if isinstance(found, dict) else float(found)

    def holds(self, folder: Path = RESULTS) -> bool:
        """Whether the figure keeps its bound."""
        if self.side == "at least":
            return self.figure(folder) >= self.bound
        return self.figure(folder) <= self.bound


def _beside_rectools(dataset: str, bound: float, aim: float) -> Bound:
    says = f"training on {dataset} beside RecTools, shipped settings"
    way = (dataset, "ratio", "rectools", "tokens 1600")
    return Bound(says, "training_speed", way, "at least", bound, aim)


BOUNDS = (
    _beside_rectools("ml-100k", 2.5, 4.5),
    _beside_rectools("ml-1m-sasrec", 6.0, 9.0),
    Bound("evaluation on ml-100k beside RecTools", "evaluation_speed", ("ml-100k", "ratio"),
          "at least", 3.0),
    Bound("evaluation on ml-1m-sasrec beside RecTools", "evaluation_speed",
          ("ml-1m-sasrec", "ratio"), "at least", 2.5),
    Bound("touched rows beside every row, 200,000 items", "large_catalogs",
          ("training 200000", "ratio"), "at least", 1.5, 3.0),
    Bound("touched rows beside every row, a million items", "large_catalogs",
          ("training 1000000", "ratio"), "at least", 4.0, 10.0),
    Bound("checkpoint of touched rows over the table, a million items", "large_catalogs",
          ("training 1000000", "touched-rows", "checkpoint_over_table"), "at most", 6.0, 6.0),
    Bound("a step with teachers' lists over one without", "distillation_speed",
          ("ml-100k", "ratio", "listwise, 30 items and a tail"), "at most", 1.5),
    Bound("exponent of prepare_data by rows, Parquet", "prepare_speed", ("parquet_exponent",),
          "at most", 1.1, 1.05),
    Bound("exponent of training by items, touched rows", "scaling",
          ("training, touched rows", "cpu_seconds"), "at most", 0.2),
    Bound("exponent of training by length", "scaling",
          ("training, longer histories", "cpu_seconds"), "at most", 0.5),
)  # fmt: skip


def blocks() -> list[Block]:
    """Make the table of docs/benchmarks.md."""
    rows = [
        [
            b.says,
            f"{b.figure():.2f}",
            f"{b.side} {b.bound:g}",
            "" if b.aim is None else f"{b.aim:g}",
        ]
        for b in BOUNDS
    ]
    return [Block("docs/benchmarks.md", "guard", table(["", "measured", "guarded", "aim"], rows))]


def main(folder: Path = RESULTS) -> int:
    """Say which bounds are broken."""
    broken = [bound for bound in BOUNDS if not bound.holds(folder)]
    for bound in broken:
        print(f"{bound.says}: {bound.figure(folder):.2f}, {bound.side} {bound.bound:g} is guarded")
    print(f"{len(BOUNDS) - len(broken)} of {len(BOUNDS)} bounds hold")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
