"""A comparison for the terminal, a note, a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recdistill.evaluation import p_words
from recdistill.reporting._caveats import caveats
from recdistill.reporting._details import duration, megabytes, noise_of, seeds_of
from recdistill.reporting._verdict import signed, verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recdistill.reporting._comparison import Comparison, Row
    from recdistill.reporting._contrast import Contrast

_HEADER = ("model", "seeds", "recall@10", "95 % CI", "NDCG@10", "seed SD", "MRR@10", "hits")
_COSTS = ("fit", "peak")


def as_markdown(comparison: Comparison, *, limit: int = 0) -> str:
    """Return table and verdict as Markdown that is readable as plain text too.

    Parameters
    ----------
    limit : show only the best so many rows; 0 shows all.
    """
    rows = comparison.rows[:limit] if limit else comparison.rows
    cells = [[*_HEADER, "\u0394 recall@10", "\u0394 NDCG@10", *_COSTS]]
    cells += [_cells(row, comparison) for row in rows]
    lines = _aligned(cells)
    if len(rows) < len(comparison.rows):
        lines.append(f"\n{len(comparison.rows) - len(rows)} more models are in comparison.md.")
    lines.append(
        f"\n\u0394 to {comparison.reference.label} (p corrected for {comparison.n_tests} tests; "
        f"* below {comparison.level:.2g}, over users and trainings; \u2020 below it over users "
        "alone: these two trained models); seed SD: of NDCG@10, and from how many runs; "
        f"{comparison.n_users:,} test users.\n"
    )
    lines += [f"- {claim}" for claim in [*verdict(comparison), *caveats(comparison)]]
    return "\n".join(lines).replace("\u00a0", " ") + "\n"


def _cells(row: Row, comparison: Comparison) -> list[str]:
    recall = row.estimates["recall"]
    name = f"{row.label} (floor)" if row.group.is_floor else row.label
    level = comparison.level
    deltas = [_delta(row.against_reference.get(metric), level) for metric in ("recall", "ndcg")]
    if row.group is comparison.reference:
        deltas = ["reference", ""]
    return [
        name.replace("|", "\\|"),
        seeds_of(row.group),
        f"{recall.mean:.3f}",
        f"{recall.low:.3f}\u2013{recall.high:.3f}",
        f"{row.estimates['ndcg'].mean:.3f}",
        noise_of(row, "ndcg"),
        f"{row.estimates['mrr'].mean:.3f}",
        f"{row.hits:.0f}",
        *deltas,
        duration(row.fit_seconds),
        megabytes(row.peak_mb),
    ]


def _delta(contrast: Contrast | None, level: float) -> str:
    if contrast is None:
        return "\u2013"
    mark = "*" if contrast.about == "methods" else "\u2020"
    star = mark if contrast.p_adjusted < level else ""
    return f"{signed(contrast.delta)}{star} ({p_words(contrast.p_adjusted)})"


def _aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    lines = [
        "| "
        + " | ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        + " |"
        for row in cells
    ]
    rule = "| " + " | ".join(
        "-" * width if i == 0 else "-" * (width - 1) + ":" for i, width in enumerate(widths)
    )
    return [lines[0], rule + " |", *lines[1:]]
