"""A comparison as files: page, pictures, tables for people and for programs."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from recdistill.reporting._breakdown import break_down
from recdistill.reporting._case_outcomes import K
from recdistill.reporting._caveats import caveats
from recdistill.reporting._groups import differing_settings
from recdistill.reporting._markdown import as_markdown
from recdistill.reporting._page import Drawing, render_page
from recdistill.reporting._plots import cost, forest, recall_curves, shown_in_slices, slice_gains
from recdistill.reporting._reach_plot import reaching
from recdistill.reporting._style import as_png, as_svg, styled
from recdistill.reporting._verdict import verdict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from matplotlib.figure import Figure

    from recdistill.reporting._comparison import Comparison, Row


def write_report(
    comparison: Comparison,
    folder: Path,
    *,
    title: str = "",
    question: str = "",
    links: Mapping[str, str] | None = None,
    made_by: str = "",
) -> list[Path]:
    """Write everything a comparison leaves behind.

    Returns
    -------
    ``report.html``, ``comparison.md``, ``comparison.json``, ``comparison.csv`` and the figures as
    ``plots/*.png``.
    """
    (folder / "plots").mkdir(parents=True, exist_ok=True)
    drawings, pictures = [], []
    with styled():
        for name, heading, caption, figure in _figures(comparison):
            picture = folder / "plots" / f"{name}.png"
            as_png(figure, picture)
            pictures.append(picture)
            drawings.append(Drawing(heading, caption, as_svg(figure, name)))
    page = render_page(
        comparison,
        drawings,
        title=title,
        question=question,
        links=links,
        made_by=made_by,
    )
    plain = as_plain(comparison)
    texts = {
        "report.html": page,
        "comparison.md": as_markdown(comparison),
        "comparison.json": json.dumps(plain, indent=2, ensure_ascii=False) + "\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    _write_csv(comparison, folder / "comparison.csv")
    return [*(folder / name for name in texts), folder / "comparison.csv", *pictures]


def _figures(comparison: Comparison) -> list[tuple[str, str, str, Figure]]:
    reference = comparison.reference.label
    figures = [
        (
            "recall_curves",
            "How far down the list",
            "Share of test users whose next item is among the first k of the whole catalog. Bands: "
            "95 % intervals over users; dashed grey: floors.",
            recall_curves(comparison),
        ),
        (
            "deltas",
            "Differences",
            f"Each model minus {reference}. Circles: methods, with intervals over users and "
            "trainings, filled where significant after Holm's correction. Diamonds: single "
            "trainings whose noise nobody knows, with intervals over users alone.",
            forest(comparison),
        ),
    ]
    if any(one.known and one.margin is not None for one in comparison.reaches):
        figures.append(
            (
                "reaching",
                "Do students reach their teachers?",
                "Each student minus the very teachers it learned from, with intervals over users "
                "and trainings. A student reaches its teachers, and its mark is filled, where the "
                "interval does not leave the grey margin on the left; inside it on both sides the "
                "two are as good as equal.",
                reaching(comparison),
            )
        )
    shown = {row.label: row.group for row in comparison.rows}
    slices = break_down(
        [shown[label] for label in shown_in_slices(comparison)],
        comparison.reference,
        "recall",
        comparison.resampling,
    )
    if slices:
        figures.append(
            (
                "gains",
                "Who gains",
                f"Gain in recall@10 over {reference} among quarters of the test users, and by how "
                "often training saw the target, with 95 % intervals over users. Exploratory: these "
                "are not corrected for their number.",
                slice_gains(comparison, slices),
            )
        )
    if any(row.fit_seconds > 0 for row in comparison.rows):
        figures.append(
            (
                "cost",
                "What it costs",
                "Recall@10 with its 95 % interval against the wall-clock time of the fit, mean "
                "over seeds. Squares: floors.",
                cost(comparison),
            )
        )
    return figures


def as_plain(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as plain values, for JSON."""
    groups = [row.group for row in comparison.rows]
    return {
        "reference": comparison.reference.label,
        "best_floor": comparison.best_floor.label if comparison.best_floor else None,
        "n_test_users": comparison.n_users,
        "n_tests": comparison.n_tests,
        "level": comparison.level,
        "looks_at_this_test_part": comparison.history.n_looks,
        "verdict": [str(claim).replace("\u00a0", " ") for claim in verdict(comparison)],
        "to_know_with_it": [str(one).replace("\u00a0", " ") for one in caveats(comparison)],
        "reaching_the_teachers": [asdict(one) for one in comparison.reaches],
        "data": {
            **{
                tag: comparison.reference.newest.reference.tags.get(tag, "")
                for tag in ("dataset", "split", "catalog.digest", "split.digest")
            },
            **{str(k): v for k, v in comparison.reference.cases.attrs.items() if k != "model"},
        },
        "models": [_plain_row(row, comparison) for row in comparison.rows],
        "settings_that_differ": {
            name: dict(zip((g.label for g in groups), values, strict=True))
            for name, values in differing_settings([g.runs for g in groups]).items()
        },
    }


def _plain_row(row: Row, comparison: Comparison) -> dict[str, Any]:
    return {
        "model": row.label,
        "stage": row.group.newest.stage,
        "floor": row.group.is_floor,
        "runs": {run.id: {"name": run.name, "seed": run.seed} for run in row.group.runs},
        "metrics": {f"{name}@{K}": asdict(e) for name, e in row.estimates.items()},
        "seed_noise": {
            f"{name}@{K}": noise
            and {
                "sd": noise.variance**0.5,
                "sd_from_users": noise.user_part**0.5,
                "n_runs": noise.n_runs,
            }
            for name, noise in row.noise.items()
        },
        "hits@10": row.hits,
        "fit_seconds": _known(row.fit_seconds),
        "fit_peak_mb": _known(row.peak_mb),
        "against_reference": [_plain_contrast(c) for c in row.against_reference.values()],
        "against_best_floor": [
            _plain_contrast(c) for c in comparison.against_floor.get(row.label, {}).values()
        ],
    }


def _plain_contrast(contrast: Any) -> dict[str, Any]:
    plain = asdict(contrast)
    infinite = ("n_needed", "seeds_needed", "users_needed")
    return plain | {name: _known(plain[name]) for name in infinite}


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _write_csv(comparison: Comparison, path: Path) -> None:
    header = ["model", "stage", "seeds", "runs", "n_test_users", "n_test_cases", "hits@10"]
    for name in ("recall@10", "ndcg@10", "mrr@10"):
        header += [name, f"{name}_low", f"{name}_high"]
    for name in ("recall@10", "ndcg@10"):
        header += [f"delta_{name}", f"delta_{name}_low", f"delta_{name}_high", f"p_holm_{name}"]
        header += [f"about_{name}"]
    header += ["fit_seconds", "fit_peak_mb"]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for row in comparison.rows:
            writer.writerow(_csv_row(row))


def _csv_row(row: Row) -> list[object]:
    group = row.group
    runs = " ".join(run.id for run in group.runs)
    cells: list[object] = [row.label, group.newest.stage, " ".join(group.seeds), runs]
    cells += [group.n_users, group.n_cases, row.hits]
    for estimate in row.estimates.values():
        cells += [estimate.mean, estimate.low, estimate.high]
    for metric in ("recall", "ndcg"):
        one = row.against_reference.get(metric)
        cells += [one.delta, one.low, one.high, one.p_adjusted, one.about] if one else [""] * 5
    return [*cells, _known(row.fit_seconds), _known(row.peak_mb)]
