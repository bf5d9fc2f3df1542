"""An audit of language as a page, a table of its arms and a figure of its differences."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from markupsafe import Markup
from matplotlib.ticker import FuncFormatter

from recdistill.audit import caveats, signed, verdict
from recdistill.data import STRATA
from recdistill.evaluation import outcome, p_words
from recdistill.reporting._plots import short_difference
from recdistill.reporting._style import MUTED, PAPER, SERIES, TEXT, as_svg, new_figure, styled
from recdistill.reporting._templates import fill_in

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from recdistill.audit import ArmResult, Difference, LanguageAudit

_COLOURS = {"texts": SERIES[0], "pretraining": SERIES[1], "whose text": SERIES[2]}


def render_language_audit(audit: LanguageAudit, made_by: str) -> str:
    """Write the report page; ``made_by`` is the id of the run."""
    with styled():
        drawings = {
            name: Markup(as_svg(draw(audit), name))  # noqa: S704 - our own
            for name, draw in (("differences", differences), ("strata", by_stratum))
        }
    return fill_in(
        "language.html.j2",
        {"signed": signed, "p": p_words},
        audit=audit,
        rows=arm_rows(audit),
        verdict=verdict(audit),
        caveats=caveats(audit),
        drawings=drawings,
        made_by=made_by,
    )


def language_markdown(audit: LanguageAudit) -> str:
    """Return verdict, arms and caveats for the terminal and a run's card."""
    shown = ("arm", "setting", "trainings", "val NDCG@10", "NDCG@10", "recall@10", "cost")
    rows = [[str(row[name]) for name in shown] for row in arm_rows(audit)]
    lines = [f"- {sentence}" for sentence in verdict(audit)]
    lines += ["", f"| {' | '.join(shown)} |", "|" + "---|" * len(shown)]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, "", *(f"- {sentence}" for sentence in caveats(audit))])


def language_csv(audit: LanguageAudit) -> str:
    """Return a row per arm, its strata included."""
    rows = arm_rows(audit)
    written = io.StringIO()
    writer = csv.DictWriter(written, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue()


def arm_rows(audit: LanguageAudit) -> list[dict[str, object]]:
    """Return what is told of every arm: test figures are means over trainings."""
    return [_row(one, audit) for one in audit.arms]


def _row(one: ArmResult, audit: LanguageAudit) -> dict[str, object]:
    values = {
        metric: sum(float(outcome(t, metric, 10).mean()) for t in one.tables) / len(one.tables)
        for metric in ("ndcg", "recall")
    }
    return {
        "arm": one.arm.name,
        "kind": one.arm.kind,
        "setting": one.setting.words(),
        "tried": one.n_tried,
        "trainings": len(one.tables),
        "val NDCG@10": f"{one.val_ndcg:.4f}",
        "NDCG@10": f"{values['ndcg']:.4f}",
        "recall@10": f"{values['recall']:.4f}",
        "cost": f"{audit.cost(one.arm.name):.2f}",
    }


def differences(audit: LanguageAudit) -> Figure:
    """Draw every difference: thick over users and trainings, thin over items and trainings."""
    shown = audit.differences[::-1]
    figure = new_figure(7.2, 0.9 + 0.36 * len(shown))
    axes = figure.subplots()
    axes.axvline(0, color=MUTED, linewidth=0.8, zorder=1)
    for place, one in enumerate(shown):
        _interval(axes, place, one)
    axes.set_yticks(range(len(shown)), [f"{d.of} \u2212 {d.against}" for d in shown], color=TEXT)
    axes.set_ylim(-0.6, len(shown) - 0.4)
    _dress(axes)
    return figure


def _interval(axes: Axes, place: float, one: Difference) -> None:
    colour = _COLOURS[one.question]
    for test, width in ((one.over_items, 1.0), (one.over_users, 2.6)):
        axes.plot([test.low, test.high], [place, place], color=colour, linewidth=width, zorder=2)
    _mark(axes, one.delta, place, colour, filled=one.is_shown)


def by_stratum(audit: LanguageAudit) -> Figure:
    """Draw what texts and pretraining add, by how often training saw the target."""
    shown = [audit.answers("texts", audit.best_text)[0], *audit.answers("pretraining")[:2]]
    figure = new_figure(7.2, 2.7)
    panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for axes, one in zip(panels, shown, strict=True):
        axes.axvline(0, color=MUTED, linewidth=0.8, zorder=1)
        for gain in one.strata:
            place, colour = STRATA.index(gain.stratum), _COLOURS[one.question]
            axes.plot([gain.low, gain.high], [place, place], color=colour, linewidth=1.8, zorder=2)
            _mark(axes, gain.delta, place, colour, filled=gain.low > 0 or gain.high < 0)
        axes.set_title(f"{one.of}\n\u2212 {one.against}", fontsize=8)
        axes.set_yticks(range(len(STRATA)), STRATA, color=TEXT)
        axes.set_ylim(-0.6, len(STRATA) - 0.4)
        _dress(axes)
    panels[0].set_ylabel("target in training")
    return figure


def _mark(axes: Axes, x: float, y: float, colour: str, *, filled: bool) -> None:
    axes.plot(
        x, y, "o", markersize=5.5, color=colour, markerfacecolor=colour if filled else PAPER,
        markeredgewidth=1.3, zorder=3,
    )  # fmt: skip


def _dress(axes: Axes) -> None:
    axes.xaxis.set_major_formatter(FuncFormatter(short_difference))
    axes.locator_params(axis="x", nbins=5)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
