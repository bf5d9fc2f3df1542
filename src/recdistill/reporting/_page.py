"""A comparison as one self-contained HTML page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from recdistill.evaluation import p_words
from recdistill.reporting import _details as details
from recdistill.reporting._caveats import caveats
from recdistill.reporting._plots import pens
from recdistill.reporting._style import variable
from recdistill.reporting._templates import fill_in
from recdistill.reporting._verdict import signed, verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recdistill.reporting._comparison import Comparison, Estimate, Row
    from recdistill.reporting._contrast import Contrast

QUESTION = "Which of these models ranks a user's next item best, and is it more than chance?"


@dataclass(frozen=True)
class Drawing:
    """A figure on the page."""

    title: str
    caption: str
    svg: str


def default_title(comparison: Comparison) -> str:
    """Name the data set and the models, as ``ml-100k: sasrec against 5 floors``."""
    dataset = comparison.reference.newest.reference.tags.get("dataset", "")
    models = [row.label for row in comparison.rows if not row.group.is_floor]
    n_floors = len(comparison.rows) - len(models)
    shown = models if len(models) <= 3 else [f"{len(models)} models"]
    words = " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
    floors = f"{n_floors} floor{'s' if n_floors > 1 else ''}" if n_floors else ""
    what = f"{words} against {floors}" if words and floors else words or floors
    return f"{dataset}: {what}" if dataset else what


def render_page(
    comparison: Comparison,
    drawings: Sequence[Drawing],
    *,
    title: str = "",
    question: str = "",
    links: Mapping[str, str] | None = None,
    made_by: str = "",
) -> str:
    """Fill the template; every word from a run is escaped.

    Parameters
    ----------
    drawings : figures in order; their SVG is ours and goes in as it is.
    links : words -> address, shown in the footer.
    made_by : id of the run that made the report.
    """
    colours = {label: variable(pen.colour) for label, pen in pens(comparison).items()}
    version = metadata.version("recdistill")
    now = datetime.now(UTC)
    ids = [run.id for row in comparison.rows for run in row.group.runs]
    return fill_in(
        "report.html.j2",
        title=title or default_title(comparison),
        question=question or QUESTION,
        kicker=(
            f"{len(ids)} runs, {len(comparison.rows)} models, {comparison.n_users:,} test users "
            f"\u00b7 {now:%d %B %Y}"
        ),
        verdict=verdict(comparison),
        caveats=caveats(comparison),
        sections=_sections(comparison, colours),
        table_note=_table_note(comparison),
        figures=[
            {"title": d.title, "caption": d.caption, "svg": Markup(d.svg)}  # noqa: S704
            for d in drawings
        ],
        tables=[details.cost_table(comparison), details.settings_table(comparison)],
        commands=details.commands(comparison, ids),
        data=details.data_details(comparison),
        footer=f"recdistill {version}, {now:%Y-%m-%d %H:%M} UTC"
        + (f", run {made_by}" if made_by else ""),
        links=[{"words": words, "address": address} for words, address in (links or {}).items()],
    )


def _sections(comparison: Comparison, colours: Mapping[str, str]) -> list[dict[str, Any]]:
    models = [row for row in comparison.rows if not row.group.is_floor]
    floors = [row for row in comparison.rows if row.group.is_floor]
    return [
        {"style": style, "rows": [_row(row, comparison, colours) for row in rows]}
        for style, rows in (("rows-model", models), ("rows-floor", floors))
        if rows
    ]


def _row(row: Row, comparison: Comparison, colours: Mapping[str, str]) -> dict[str, Any]:
    group = row.group
    return {
        "label": row.label,
        "stage": "floor" if group.is_floor else group.newest.stage,
        "is_floor": group.is_floor,
        "colour": colours.get(row.label, "var(--rule)"),
        "seeds": details.seeds_of(group),
        "estimates": [_estimate(row.estimates[m], len(group.runs)) for m in row.estimates],
        "hits": f"{row.hits:.0f}",
        "n_cases": f"{comparison.n_cases:,}",
        "noise": details.noise_of(row, "ndcg"),
        "contrasts": [
            _contrast(row.against_reference.get(m), comparison.level) for m in ("recall", "ndcg")
        ],
        "no_contrast": "reference" if group is comparison.reference else "\u2013",
        "fit": details.duration(row.fit_seconds),
        "peak": details.megabytes(row.peak_mb),
    }


def _estimate(estimate: Estimate, n_seeds: int) -> dict[str, str]:
    return {
        "mean": f"{estimate.mean:.3f}",
        "interval": f"[{estimate.low:.3f}, {estimate.high:.3f}]",
        "seeds": f"{estimate.worst_seed:.3f}\u2013{estimate.best_seed:.3f}" if n_seeds > 1 else "",
    }


def _contrast(contrast: Contrast | None, level: float) -> dict[str, Any] | None:
    if contrast is None:
        return None
    return {
        "delta": signed(contrast.delta),
        "interval": f"[{signed(contrast.low)}, {signed(contrast.high)}]",
        "p": p_words(contrast.p_adjusted),
        "sure": contrast.about == "methods" and contrast.p_adjusted < level,
        "about": "" if contrast.about == "methods" else "these two models",
    }


def _table_note(comparison: Comparison) -> str:
    return (
        f"Differences are to {comparison.reference.label}. Brackets of figures: 95 % intervals "
        "over test users, of differences: over users and trainings, unless it says 'these two "
        "models' (one training a side whose noise nobody knows). Seeds: lowest and highest single "
        "seed. Seed SD: standard deviation of NDCG@10 between trainings, and the number of runs it "
        f"is known from. p-values are corrected for all {comparison.n_tests} tests of this report "
        f"(Holm); bold where below {comparison.level:.2g} for the methods. Hits are targets among "
        "the first ten, mean over seeds. Peak: memory of the fit."
    )
