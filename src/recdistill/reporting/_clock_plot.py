"""The figure of a backtest: quality and cost by window, a line for each clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recdistill.reporting._style import MUTED, SERIES, TEXT, as_png, new_figure, styled

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from matplotlib.figure import Figure


def clocks_by_window(table: pd.DataFrame) -> Figure:
    """Draw NDCG@10 of every window and the CPU seconds spent before it.

    Parameters
    ----------
    table : DataFrame
        ``clock``, ``window``, ``ndcg``, ``cpu_seconds``: ``updating.by_window``.
    """
    figure = new_figure(7.2, 4.4)
    quality, cost = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    windows = list(dict.fromkeys(table["window"]))
    clocks = list(dict.fromkeys(table["clock"]))
    width = 0.8 / len(clocks)
    for i, clock in enumerate(clocks):
        own = table[table["clock"] == clock].set_index("window").reindex(windows)
        colour = SERIES[i % len(SERIES)]
        quality.plot(
            range(len(windows)), own["ndcg"], "o-", color=colour, markersize=4, label=clock
        )
        places = [place + (i + 0.5) * width - 0.4 for place in range(len(windows))]
        cost.bar(places, own["cpu_seconds"], width * 0.9, color=colour)
    quality.set_title("NDCG@10 on the window, every model trained before it")
    quality.set_ylim(bottom=0)
    quality.legend(frameon=False, loc="lower left", ncols=len(clocks))
    quality.grid(axis="y")
    cost.set_title("CPU seconds of training before the window")
    cost.set_xticks(range(len(windows)), windows, color=TEXT)
    cost.set_xlabel("tested until", color=MUTED)
    return figure


def draw_clocks(table: pd.DataFrame, path: Path) -> None:
    """Write ``clocks_by_window`` as PNG."""
    with styled():
        figure = clocks_by_window(table)
    as_png(figure, path)
