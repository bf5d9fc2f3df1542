"""The allocation timeline of a measured step, as a table and as a picture."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from recdistill.memory._plan import MemoryPlan
    from recdistill.memory._watch import Measurement

_COLOURS = {"forward": "#4477aa", "backward": "#ee6677", "optimizer": "#228833"}


def write_timeline(measurement: Measurement, path: Path) -> Path:
    """Write phase, seconds and live bytes of every allocation and release as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["phase", "seconds", "bytes"])
        writer.writerows((p, f"{s:.6f}", n) for p, s, n in measurement.timeline)
    return path


def draw_timeline(measurement: Measurement, planned: MemoryPlan, path: Path) -> Path:
    """Draw live bytes over the step, its phases, and the planned peak as a line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for phase, colour in _COLOURS.items():
        points = [(s, n / 1e6) for p, s, n in measurement.timeline if p == phase]
        if points:
            seconds, megabytes = zip(*points, strict=True)
            axes.fill_between(seconds, megabytes, step="post", color=colour, alpha=0.6, label=phase)
    axes.axhline(planned.peak_bytes / 1e6, color="black", linestyle="--", label="planned peak")
    settings = planned.settings
    axes.set_title(f"{settings.llm}, batch {settings.batch}, length {settings.length}")
    axes.set_xlabel("seconds")
    axes.set_ylabel("MB held by tensors")
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=120)
    return path
