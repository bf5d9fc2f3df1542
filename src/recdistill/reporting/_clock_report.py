"""A backtest in words and tables: what each clock is worth, to whom, and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recdistill.evaluation import p_words
from recdistill.reporting._clock_plot import draw_clocks
from recdistill.updating import by_age, compare_clocks, later_windows

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from recdistill.updating import ClockTest

_AGES = {"item_age": "the item first seen in", "user_age": "the user first seen in"}


def write_backtest(cases: pd.DataFrame, windows: pd.DataFrame, folder: Path) -> str:
    """Write ``cases.parquet``, ``windows.csv``, ``windows.png`` and ``report.md``; return the last.

    Parameters
    ----------
    cases, windows : as ``updating.run_clocks`` gives them
    folder : Path
        Made where it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cases.to_parquet(folder / "cases.parquet", index=False)
    windows.to_csv(folder / "windows.csv", index=False)
    draw_clocks(windows, folder / "windows.png")
    told = clocks_markdown(cases, windows)
    (folder / "report.md").write_text(told, encoding="utf-8")
    return told


def clocks_markdown(cases: pd.DataFrame, windows: pd.DataFrame) -> str:
    """Return tables by clock, by window and by age, and the tests between clocks.

    Parameters
    ----------
    cases, windows : as ``updating.cases_of`` and ``updating.by_window`` give them
    """
    later = later_windows(cases)
    lines = [*_by_clock(windows), "", *_by_window(windows)]
    for of in _AGES:
        lines += ["", *_by_age(later, of)]
    lines += ["", *(f"- {_said(test)}" for test in compare_clocks(later))]
    return "\n".join(lines) + "\n"


def _by_clock(windows: pd.DataFrame) -> list[str]:
    later = later_windows(windows)
    lines = [
        "| clock | NDCG@10 | recall@10 | CPU seconds |",
        "|---|---:|---:|---:|",
    ]
    for clock, own in later.groupby("clock", sort=False):
        lines.append(
            f"| {clock} | {own['ndcg'].mean():.4f} | {own['recall'].mean():.4f} "
            f"| {own['cpu_seconds'].sum():,.0f} |"
        )
    first = windows["window"].iloc[0]
    note = f"Means over the windows after the one until {first}, where all clocks have one model."
    return [*lines, "", note]


def _by_window(windows: pd.DataFrame) -> list[str]:
    clocks = list(dict.fromkeys(windows["clock"]))
    lines = [
        "| window until | cases | " + " | ".join(clocks) + " |",
        "|---|---:|" + "---:|" * len(clocks),
    ]
    for until, own in windows.groupby("window", sort=False):
        cells = [f"{value:.4f}" for value in own.set_index("clock")["ndcg"][clocks]]
        lines.append(f"| {until} | {own['n_cases'].iloc[0]:,} | {' | '.join(cells)} |")
    return lines


def _by_age(cases: pd.DataFrame, of: str) -> list[str]:
    table = by_age(cases, of)
    clocks = [column for column in table.columns if column != "n_cases"]
    lines = [
        f"| {_AGES[of]} | cases | " + " | ".join(clocks) + " |",
        "|---|---:|" + "---:|" * len(clocks),
    ]
    for age, row in table.iterrows():
        cells = [f"{row[clock]:.4f}" for clock in clocks]
        lines.append(f"| {age} | {row['n_cases']:,.0f} | {' | '.join(cells)} |")
    return lines


def _said(test: ClockTest) -> str:
    over = "users and trainings" if test.over_trainings else "users; these trained models"
    share = f", {test.mean_a / test.mean_b:.1%} of it" if test.mean_b else ""
    return (
        f"{test.a} against {test.b}: {test.delta:+.4f} NDCG@10 [{test.low:+.4f}, {test.high:+.4f}]"
        f"{share}, {p_words(test.p)} (over {test.n_users:,} {over})"
    )
