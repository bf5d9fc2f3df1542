"""The figure of students beside their teachers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.ticker import FuncFormatter

from recdistill.reporting._plots import Pen, pens, short_difference
from recdistill.reporting._style import MUTED, PAPER, RULE, TEXT, new_figure
from recdistill.reporting._verdict import NAMES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from recdistill.reporting._comparison import Comparison


def reaching(comparison: Comparison) -> Figure:
    """Draw student minus teachers with its interval, over the margin as a band."""
    shown = [one for one in comparison.reaches if one.known and one.margin is not None]
    metrics = list(dict.fromkeys(one.metric for one in shown))
    students = list(dict.fromkeys(one.of for one in shown))[::-1]
    given = pens(comparison)
    figure = new_figure(7.2, 1.1 + 0.4 * len(students))
    panels = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    for axes, metric in zip(panels, metrics, strict=True):
        axes.axvline(0, color=MUTED, linewidth=0.8, zorder=1)
        for one in shown:
            if one.metric != metric or one.margin is None:
                continue
            place = students.index(one.of)
            colour = given.get(one.of, Pen(MUTED)).colour
            axes.fill_between(
                [-one.margin, one.margin], place - 0.35, place + 0.35, color=RULE, alpha=0.5, lw=0
            )
            axes.plot([one.low, one.high], [place, place], color=colour, linewidth=1.5, zorder=2)
            axes.plot(
                one.delta,
                place,
                "o",
                markersize=5.5,
                color=colour,
                markerfacecolor=colour if one.reaches else PAPER,
                markeredgewidth=1.3,
                zorder=3,
            )
        axes.set_title(f"\u0394 {NAMES[metric]}")
        axes.xaxis.set_major_formatter(FuncFormatter(short_difference))
        axes.xaxis.get_major_locator().set_params(nbins=6)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(students)), students, color=TEXT)
    panels[0].set_ylim(-0.6, len(students) - 0.4)
    figure.supxlabel("student minus its teachers", fontsize=9, color=MUTED)
    return figure
