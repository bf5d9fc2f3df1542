"""How costs grow: preparing by rows, training by items and by history length; with exponents.

    python -m benchmarks.scaling            # some three CPU minutes, one thread
    python -m benchmarks.scaling --anew     # measure what the file has, too
    python -m benchmarks.scaling --plots    # only draw docs/assets/scaling.png anew

Drawn data; what is there already is kept, so a run that was ended goes on. An exponent is the slope
of the line through a curve's points on logarithmic axes: 1 is proportional, 0 is no growth. Writes
``benchmarks/results/scaling.json``; rows beyond two million come from ``prepare_speed.json``, items
beyond 20,000 from ``large_catalogs.json`` as well.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.large_catalogs import drawn_data
from benchmarks.pages import ROOT, Block, table
from benchmarks.prepare_speed import draw
from recdistill.data import DataConfig, prepare
from recdistill.students import StudentConfig
from recdistill.training import (
    FitConfig,
    LossConfig,
    OptimizerConfig,
    StudentRecipe,
    fit_student,
)

RESULT = Path(__file__).parent / "results" / "scaling.json"
PICTURE = ROOT / "docs" / "assets" / "scaling.png"
ROWS = (100_000, 500_000, 2_000_000)
ITEMS = (2_000, 20_000, 200_000)
LENGTHS = (50, 100, 200, 400)
# The full softmax stops where a point would take minutes.
LOSSES = {
    "full softmax": (LossConfig("softmax"), "all", ITEMS[:2]),
    "touched rows": (LossConfig("mixed_softmax"), "touched", ITEMS),
}


def prepared(n_rows: int) -> float:
    """Return the CPU seconds of all of prepare_data on drawn rows of Parquet."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        draw(n_rows, path)
        started = time.process_time()
        prepare(DataConfig(dataset="drawn", data_path=str(path)), Path(folder) / "out")
        return time.process_time() - started


def trained(n_items: int, length: int, loss: LossConfig, rows: Any) -> float:
    """Return the CPU seconds of a million targets, by the second epoch of a fit."""
    data = drawn_data(200, n_items, n_cases=20, mean_length=max(40, length))
    loop = FitConfig(
        max_epochs=2, validate_every=2, optimizer=OptimizerConfig(rows=rows), device="cpu"
    )
    shape = StudentConfig(max_length=length, item_start="random")
    rates: list[float] = []
    fit_student(
        StudentRecipe(shape, loss, loop),
        data,
        seed=0,
        log=lambda metrics, epoch: rates.append(metrics["train/targets_per_cpu_second"]),
    )
    return 1e6 / rates[-1]


def curves() -> dict[str, dict[str, Any]]:
    """Name every curve: how it is measured, at which sizes, and what the axes say."""
    found: dict[str, dict[str, Any]] = {
        "prepare_data": {"by": "rows", "of": "all rows", "sizes": ROWS, "work": prepared}
    }
    for name, (loss, rows, sizes) in LOSSES.items():

        def by_items(n: int, loss: LossConfig = loss, rows: str = rows) -> float:
            return trained(n, 50, loss, rows)

        work = {"sizes": sizes, "work": by_items}
        found[f"training, {name}"] = {"by": "items", "of": "a million targets", **work}

    def by_length(n: int) -> float:
        return trained(2_000, n, LossConfig("softmax"), "all")

    work = {"sizes": LENGTHS, "work": by_length}
    found["training, longer histories"] = {"by": "length", "of": "a million targets", **work}
    return found


def exponent(points: dict[str, float]) -> float:
    """Return the slope of the least-squares line on logarithmic axes."""
    sizes = np.log([float(size) for size in points])
    slope: float = np.polyfit(sizes, np.log(list(points.values())), 1)[0]
    return slope


def measure(*, anew: bool) -> None:
    """Measure what the file lacks, or everything."""
    torch.set_num_threads(1)
    kept = RESULT.is_file() and not anew
    results = json.loads(RESULT.read_text(encoding="utf-8")) if kept else {}
    for name, curve in curves().items():
        points = results.setdefault(name, {"by": curve["by"], "of": curve["of"], "cpu_seconds": {}})
        for size in curve["sizes"]:
            if str(size) not in points["cpu_seconds"]:
                points["cpu_seconds"][str(size)] = round(curve["work"](size), 3)
                print(name, size, points["cpu_seconds"][str(size)], flush=True)
                RESULT.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def draw_plots() -> None:
    """Draw every curve on logarithmic axes, one picture for each kind of size."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, NullFormatter

    results = read()
    kinds = ("rows", "items", "length")
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    plain = FuncFormatter(lambda value, _: f"{value:,g}")
    for axes, kind in zip(figure.subplots(1, 3), kinds, strict=True):
        highest = 0.0
        for name, curve in results.items():
            if curve["by"] == kind:
                points = curve["cpu_seconds"]
                highest = max(highest, *points.values())
                label = f"{name.removeprefix('training, ')}: {exponent(points):.2f}"
                axes.plot([float(s) for s in points], list(points.values()), "o-", label=label)
                axes.set(xlabel=kind, ylabel=f"CPU seconds of {curve['of']}")
        axes.set(xscale="log", yscale="log", ylim=(None if kind == "rows" else 10, 4 * highest))
        axes.yaxis.set_major_formatter(plain)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_formatter(NullFormatter())
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7, loc="upper left", title="exponent", title_fontsize=7)
    figure.savefig(PICTURE, dpi=120)


def read() -> dict[str, Any]:
    """Return the curves, those of the larger benchmarks put in."""
    results: dict[str, Any] = json.loads(RESULT.read_text(encoding="utf-8"))
    large = json.loads((RESULT.parent / "prepare_speed.json").read_text(encoding="utf-8"))
    more = {n: f["cpu_seconds"] for n, f in large["parquet"].items()}
    results["prepare_data with imports"] = {
        "by": "rows",
        "of": "all rows",
        "cpu_seconds": more,
    }
    return results


def blocks() -> list[Block]:
    """Make the table of docs/benchmarks.md."""
    rows = []
    for name, curve in read().items():
        points = curve["cpu_seconds"]
        sizes = [int(size) for size in points]
        span = f"{sizes[0]:,} to {sizes[-1]:,} {curve['by']}"
        rows.append([name, span, f"{exponent(points):.2f}"])
    return [Block("docs/benchmarks.md", "scaling", table(["", "from", "exponent"], rows))]


if __name__ == "__main__":
    if "--plots" not in sys.argv[1:]:
        measure(anew="--anew" in sys.argv[1:])
    draw_plots()
