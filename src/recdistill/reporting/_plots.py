"""The figures of a comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FuncFormatter

from recdistill.evaluation import hits_interval
from recdistill.reporting._case_outcomes import DEPTH, K
from recdistill.reporting._style import FLOOR, MUTED, PAPER, RULE, SERIES, TEXT, new_figure
from recdistill.reporting._verdict import NAMES, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from recdistill.reporting._breakdown import Slice
    from recdistill.reporting._comparison import Comparison, Row
    from recdistill.reporting._contrast import Contrast

_IN_FOREST, _IN_SLICES = 24, 3
_LABEL_HEIGHT = 0.055  # of the axes
_TIMES = {
    0.001: "1 ms", 0.01: "10 ms", 0.1: "0.1 s", 1: "1 s", 10: "10 s", 60: "1 min", 600: "10 min",
    3600: "1 h", 36000: "10 h", 360000: "100 h",
}  # fmt: skip
_DASHES = ((4, 2), (1, 1.5), (6, 2, 1, 2), (2, 2), (8, 3))


@dataclass(frozen=True)
class Pen:
    """How one model looks in every figure of a report."""

    colour: str
    dashes: tuple[float, ...] = ()


def pens(comparison: Comparison) -> dict[str, Pen]:
    """Give models colours and floors grey dashes; models beyond the palette get none.

    The reference and then the best models come first.
    """
    models = [row.label for row in comparison.rows if not row.group.is_floor]
    floors = [row.label for row in comparison.rows if row.group.is_floor]
    if comparison.reference.label in models:
        models.sort(key=lambda label: label != comparison.reference.label)
    given = {label: Pen(colour) for label, colour in zip(models, SERIES, strict=False)}
    return given | {
        label: Pen(FLOOR, dashes) for label, dashes in zip(floors, _DASHES, strict=False)
    }


def recall_curves(comparison: Comparison) -> Figure:
    """Recall@k over k with the 95 % interval as a band, labels at the lines' ends."""
    figure = new_figure(7.2, 3.7)
    axes = figure.subplots()
    given = pens(comparison)
    ks = np.arange(1, DEPTH + 1)
    ends = []
    for row in reversed(comparison.rows):
        curve = row.group.outcomes.recall_at
        pen = given.get(row.label)
        if pen is None:
            axes.plot(ks, curve, color=RULE, linewidth=0.7, zorder=1)
            continue
        if not pen.dashes:
            n = comparison.n_users
            band = np.array([hits_interval(float(share * n), n) for share in curve])
            axes.fill_between(ks, *band.T, color=pen.colour, alpha=0.10, linewidth=0)
        axes.plot(
            ks,
            curve,
            color=pen.colour,
            linewidth=1.1 if pen.dashes else 1.8,
            dashes=pen.dashes or (None, None),
            zorder=2 if pen.dashes else 3,
        )
        ends.append((float(curve[-1]), row.label, pen.colour))
    axes.set(xlim=(1, DEPTH), ylim=(0, None), xlabel="k", ylabel="recall@k")
    axes.set_xticks([1, 5, 10, 20, 30, 40, 50])
    axes.axvline(K, color=RULE, linewidth=0.8, zorder=0)
    axes.grid(axis="y")
    _label_ends(axes, ends)
    return figure


def _label_ends(axes: Axes, ends: list[tuple[float, str, str]]) -> None:
    """Write each line's name at its end, apart from each other where lines end close together."""
    top = axes.get_ylim()[1]
    ends = sorted(ends)
    places = np.array([value for value, _, _ in ends]) / top
    for _ in range(200):  # neighbours that overlap push each other away, half the way each
        overlap = np.maximum(_LABEL_HEIGHT - np.diff(places), 0)
        places[:-1] -= overlap / 2
        places[1:] += overlap / 2
    for (value, label, colour), place in zip(ends, places, strict=True):
        axes.annotate(
            label,
            (DEPTH, value),
            (1.015, place),
            textcoords="axes fraction",
            color=MUTED if colour == FLOOR else colour,
            va="center",
            fontsize=8.5,
            annotation_clip=False,
        )


def forest(comparison: Comparison) -> Figure:
    """Differences to the reference with their intervals; filled marks are significant."""
    rows = [row for row in comparison.rows if row.against_reference][:_IN_FOREST]
    rows.reverse()
    figure = new_figure(7.2, 1.1 + 0.27 * len(rows))
    panels = figure.subplots(1, 2, sharey=True)
    given = pens(comparison)
    for axes, metric in zip(panels, ("recall", "ndcg"), strict=True):
        axes.axvline(0, color=MUTED, linewidth=0.8, zorder=1)
        for place, row in enumerate(rows):
            pen = given.get(row.label, Pen(MUTED))
            _interval(axes, place, row.against_reference[metric], pen.colour, comparison.level)
        axes.set_title(f"\u0394 {NAMES[metric]}")
        axes.xaxis.set_major_formatter(FuncFormatter(short_difference))
        axes.xaxis.get_major_locator().set_params(nbins=6)
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(rows)), [row.label for row in rows], color=TEXT)
    panels[0].set_ylim(-0.6, len(rows) - 0.4)
    figure.supxlabel(
        f"difference to {comparison.reference.label}, 95 % interval",
        fontsize=9,
        color=MUTED,
    )
    return figure


def short_difference(value: float, _place: int) -> str:
    """Write a difference on an axis, without zeros at its end."""
    return signed(value).rstrip("0").rstrip(".") or "0"


def _interval(axes: Axes, place: float, one: Contrast, colour: str, level: float) -> None:
    methods = one.about == "methods"
    axes.plot([one.low, one.high], [place, place], color=colour, linewidth=1.5, zorder=2)
    axes.plot(
        [one.delta],
        [place],
        marker="o" if methods else "D",
        markersize=5.5 if methods else 4.5,
        color=colour,
        markerfacecolor=colour if methods and one.p_adjusted < level else PAPER,
        markeredgewidth=1.3,
        zorder=3,
    )


def slice_gains(comparison: Comparison, slices: dict[str, list[Slice]]) -> Figure:
    """Gain in recall@10 on quarters of the users, one panel per attribute."""
    labels = shown_in_slices(comparison)
    given = pens(comparison)
    figure = new_figure(7.2, 2.9)
    panels = np.atleast_1d(figure.subplots(1, len(slices), sharey=True))
    for axes, (title, parts) in zip(panels, slices.items(), strict=True):
        axes.axhline(0, color=MUTED, linewidth=0.8, zorder=1)
        for i, label in enumerate(labels):
            pen = given.get(label, Pen(MUTED))
            shift = (i - (len(labels) - 1) / 2) * 0.2
            for place, part in enumerate(parts):
                mean, low, high = part.gains[label]
                x = place + shift
                axes.plot([x, x], [low, high], color=pen.colour, linewidth=1.4, zorder=2)
                axes.plot(x, mean, "o", markersize=4.5, color=pen.colour, zorder=3)
        axes.set_xticks(range(len(parts)), [f"{p.words}\nn={p.n_cases}" for p in parts])
        axes.tick_params(axis="x", length=0)
        axes.spines["bottom"].set_visible(False)
        axes.set_title(title)
        axes.grid(axis="y")
        axes.yaxis.set_major_formatter(FuncFormatter(short_difference))
    panels[0].set_ylabel("\u0394 recall@10")
    handles = [
        panels[0].plot([], [], "o", markersize=4.5, color=given.get(label, Pen(MUTED)).colour)[0]
        for label in labels
    ]
    figure.legend(
        handles,
        labels,
        loc="outside upper left",
        ncols=len(labels),
        frameon=False,
        handletextpad=0.2,
        fontsize=8.5,
    )
    return figure


def shown_in_slices(comparison: Comparison) -> list[str]:
    """Labels of the best models, and of the best floor where there is room, but the reference."""
    others = [row for row in comparison.rows if row.group is not comparison.reference]
    best = [row.label for row in others if not row.group.is_floor][:_IN_SLICES]
    floors = [row.label for row in others if row.group.is_floor]
    return best + floors[: max(0, _IN_SLICES - len(best))][: 1 if best else _IN_SLICES]


def cost(comparison: Comparison) -> Figure:
    """Recall@10 against the seconds of the fit, on a logarithmic axis."""
    rows = sorted(
        (row for row in comparison.rows if row.fit_seconds > 0), key=lambda row: row.fit_seconds
    )
    given = pens(comparison)
    figure = new_figure(7.2, 3.1)
    axes = figure.subplots()
    left = False
    for before, row in zip([None, *rows], rows, strict=False):
        # Two points at nearly the same place take their names to different sides.
        left = before is not None and not left and _close(before, row)
        _cost_point(axes, row, given.get(row.label), comparison, left=left)
    axes.set_xscale("log")
    axes.set_xticks(list(_TIMES), list(_TIMES.values()))
    axes.minorticks_off()
    axes.set_xlim(rows[0].fit_seconds / 3, rows[-1].fit_seconds * 4)
    axes.set(xlabel="fitting time", ylabel="recall@10")
    axes.grid(axis="y")
    return figure


def _close(one: Row, other: Row) -> bool:
    near = abs(one.estimates["recall"].mean - other.estimates["recall"].mean) < 0.012
    return near and other.fit_seconds < 3 * one.fit_seconds


def _cost_point(
    axes: Axes, row: Row, pen: Pen | None, comparison: Comparison, *, left: bool
) -> None:
    recall = row.estimates["recall"]
    colour = pen.colour if pen else RULE
    x = row.fit_seconds
    axes.plot([x, x], [recall.low, recall.high], color=colour, linewidth=1.2, alpha=0.6, zorder=2)
    marker = "s" if row.group.is_floor else "o"
    axes.plot(x, recall.mean, marker, markersize=5.5, color=colour, zorder=3)
    if pen:
        axes.annotate(
            row.label,
            (x, recall.mean),
            (-7 if left else 7, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
            fontsize=8.5,
            color=MUTED if row.group.is_floor else colour,
            fontweight="bold" if row.group is comparison.reference else "normal",
        )
