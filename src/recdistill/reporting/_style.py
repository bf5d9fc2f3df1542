"""The style of all figures: palette, fonts, SVG that follows the light or dark page."""

from __future__ import annotations

import io
import logging
import re
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

TEXT, MUTED, RULE, PAPER = "#1b1f24", "#666d75", "#d5d8dc", "#fefefd"

# After Okabe and Ito's set for colour-blind readers; order is order of first use.
SERIES = ("#0a6aa8", "#c8500a", "#0b8a68", "#a8568a", "#8a6d00", "#3d4fa3")
FLOOR = "#7d858d"

# The page gives each of these names a light and a dark value (report.css).
_VARIABLES = {TEXT: "text", MUTED: "muted", RULE: "rule", PAPER: "paper", FLOOR: "floor"} | {
    colour: f"series-{i}" for i, colour in enumerate(SERIES)
}

_STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["Helvetica Neue", "Helvetica", "Arial", "Liberation Sans", "DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": TEXT,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.facecolor": PAPER,
    "figure.facecolor": PAPER,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "text.color": TEXT,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "lines.linewidth": 1.6,
    "svg.fonttype": "none",  # real text: it prints sharp, can be searched, takes the page's colour
}


def variable(colour: str) -> str:
    """Return the page's own name for a colour, ``var(--...)``."""
    return f"var(--{_VARIABLES[colour]})"


def styled() -> AbstractContextManager[None]:
    """Return a context in which figures are drawn in this style."""
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # the list has fallbacks
    context: AbstractContextManager[None] = mpl.rc_context(_STYLE)
    return context


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure; size in inches. Call inside `styled`."""
    return Figure(figsize=(width, height), layout="constrained")


def as_svg(figure: Figure, name: str) -> str:
    """Return the figure as SVG to be put into a page: no fixed colours, no addresses.

    Parameters
    ----------
    name : a word unique on the page; ids of clip paths and marks begin with it.
    """
    with mpl.rc_context(_STYLE | {"svg.hashsalt": name}):
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None}, transparent=True)
    svg = written.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg)
    svg = re.sub(r'id="', f'id="{name}-', svg)
    svg = re.sub(r'((?:xlink:)?href="#|url\(#)', rf"\1{name}-", svg)
    svg = svg.replace("xlink:href", "href")
    for colour in _VARIABLES:
        svg = svg.replace(colour, variable(colour))
    svg = re.sub(r"(font: [\d.a-z ]*?[\d.]+px) [^;\"]*", r"\1 var(--sans)", svg)
    svg = re.sub(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', r'<svg \1 role="img">', svg, count=1)
    return "\n".join(_without_blank(svg))


def as_png(figure: Figure, path: Path) -> None:
    """Write the figure in light colours, at a resolution fit for slides."""
    with mpl.rc_context(_STYLE):
        figure.savefig(path, format="png", dpi=200)


def _without_blank(svg: str) -> Iterator[str]:
    return (line for line in svg.splitlines() if line.strip())
