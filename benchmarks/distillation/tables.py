"""The tables and sentences of README.md and docs/results.md on distillation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import baselines, language
from benchmarks.distillation import worth
from benchmarks.distillation.outcomes import Row, before_rotary, planned, shorter, versus
from benchmarks.distillation.run import trials
from benchmarks.distillation.settings import CONTROL, POOL, SETTINGS, STUDENT, WITH_TEXT
from benchmarks.pages import Block, p_of

if TYPE_CHECKING:
    from benchmarks.distillation.outcomes import Experiment
    from recdistill.evaluation import RecipeTest

PAGE = "docs/results.md"
NAMES = {
    "amazon-beauty": "Amazon Beauty",
    "ml-1m-sasrec": "MovieLens-1M",
    "ml-100k": "MovieLens-100K",
}
NOTHING_YET = "No model of this experiment has met the test part yet."


def blocks() -> list[Block]:
    """Make every block that says something about distillation."""
    made = [Block("README.md", "headline", headline())]
    for dataset in SETTINGS:
        made += [
            Block(PAGE, f"trials {dataset}", trials_table(dataset)),
            Block(PAGE, f"distillation {dataset}", table(planned(dataset))),
            Block(PAGE, f"worth {dataset}", worth.table(dataset)),
        ]
        if shorter(dataset).rows:
            made.append(Block(PAGE, f"shorter {dataset}", table(shorter(dataset))))
        if before_rotary(dataset).rows:
            made.append(Block(PAGE, f"before-rotary {dataset}", table(before_rotary(dataset))))
    return made


def table(experiment: Experiment) -> str:
    """Write one line per recipe, then what decides."""
    if not experiment.rows:
        return NOTHING_YET
    lines = [
        "| model | trainings | recall@10 | NDCG@10 | its SD over seeds "
        "| ΔNDCG@10 to the baseline [95 %] | p (NDCG) | p (recall) | CPU minutes |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    base = experiment.rows.get(experiment.baseline)
    for name, row in experiment.rows.items():
        recall, ndcg = (row.trainings(metric).seed_means for metric in ("recall", "ndcg"))
        spread = f"{ndcg.std(ddof=1):.4f}" if len(ndcg) > 1 else ""
        cells = [row.said, str(len(ndcg)), f"{recall.mean():.4f}", f"{ndcg.mean():.4f}", spread]
        if name == experiment.baseline or base is None:
            cells += ["", "", ""]
        else:
            found = [versus(row, base, metric) for metric in ("ndcg", "recall")]
            cells += [_difference(row, base, found[0]), *(_p(f).removeprefix("= ") for f in found)]
        lines.append(f"| {' | '.join([*cells, _cost(name, row)])} |")
    return "\n".join([*lines, "", *contrast(experiment)]).strip()


def _cost(name: str, row: Row) -> str:
    """Write the CPU minutes of one training; a student's hold those of its pool and its lists."""
    kept = [path.with_suffix(".json") for path in row.files]
    if name == POOL or not all(path.is_file() for path in kept):
        return ""
    facts = [json.loads(path.read_text("utf-8")) for path in kept]
    seconds = [one["cpu_seconds"] for one in facts if "cpu_seconds" in one]
    return f"{np.mean(seconds) / 60:.1f}" if seconds else ""


def contrast(experiment: Experiment) -> list[str]:
    """Say how the student does beside everything it must beat, and whether that is shown."""
    student = experiment.rows.get(experiment.student)
    if student is None:
        return []
    lines, ps = [], []
    for name in (*experiment.others, POOL):
        other = experiment.rows.get(name)
        if other is None:
            continue
        found = versus(student, other, "ndcg")
        lines.append(f"- The student beside {other.said}: {_difference(student, other, found)}"
                     f"{f', p {_p(found)}' if found else ''}.")  # fmt: skip
        if name in experiment.others:
            ps.append(1.0 if found is None or found.delta < 0 else found.p)
    missing = [name for name in experiment.others if name not in experiment.rows]
    largest = f"{max(ps):.2g}" if ps else "unknown"
    shown = not missing and bool(ps) and max(ps) < experiment.level
    verdict = "shown" if shown else "not shown"
    if missing:
        verdict += f" ({' and '.join(missing)} not measured)"
    lines.append(
        f"- **Better than each of {len(experiment.others)}: {verdict}**, largest p = {largest}, "
        f"level {experiment.level:g}."
    )
    return lines


def trials_table(dataset: str) -> str:
    """Write what was tried one step earlier in time, the chosen ones in bold."""
    lines = ["| recipe | setting | recall@10 | NDCG@10 |", "|---|---|---|---|"]
    setting = SETTINGS[dataset]
    for name in setting.recipes:
        found = trials(dataset, name)
        best = max((trial["ndcg_at_10"] for trial in found), default=0.0)
        for trial in found:
            words = f"`{' '.join(trial['words'])}`" if trial["words"] else "the preset's"
            if other := setting.other_views.get((name, trial["number"])):
                words += f", on {other.n_views} views"
            bold = "**" if trial["ndcg_at_10"] == best else ""
            figures = " | ".join(
                f"{bold}{trial[metric]:.4f}{bold}" for metric in ("recall_at_10", "ndcg_at_10")
            )
            lines.append(f"| {name} | {words} | {figures} |")
    return "\n".join(lines) if len(lines) > 2 else "Nothing has been tried yet."


def headline() -> str:
    """Write the README's table, and what the test says about it in words."""
    experiments = {d: e for d in NAMES if (e := current(d)).rows}
    names = [
        f"{NAMES[d]}{', older code' if _is_older(e) else ''}: recall@10 / NDCG@10"
        for d, e in experiments.items()
    ]
    lines = [f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    said = {
        "sasrec": "SASRec (ours, width 64), the baseline",
        WITH_TEXT: "the baseline, whose items have texts too",
        CONTROL: "the baseline on the student's views, without lessons",
        POOL: "teachers together: networks of other seeds and floors",
        STUDENT: "**their student, of the baseline's size and speed**",
        "gru4rec": "GRU4Rec (ours)",
        "counter": "skip-gram counter (a floor, fits in under a second)",
    }
    for name, words in said.items():
        cells = [_figures(e.rows.get(name), bold=name == STUDENT) for e in experiments.values()]
        if any(cells):
            lines.append(f"| {words} | {' | '.join(cells)} |")
    popular = [_figures(_popularity(dataset)) for dataset in experiments]
    lines.append(f"| popularity (a floor) | {' | '.join(popular)} |")
    return "\n".join([*lines, "", *(sentence(d, e) for d, e in experiments.items())])


def _popularity(dataset: str) -> Row | None:
    places = (
        baselines.RESULTS / dataset / "popularity-s0.parquet",
        language.RESULTS / f"{dataset}-test" / "floor-popularity.parquet",
    )
    return next((Row("", (place,)) for place in places if place.is_file()), None)


def current(dataset: str) -> Experiment:
    """Return the planned experiment once it can decide, until then that of the older code."""
    found = planned(dataset)
    return found if found.decided else before_rotary(dataset)


def sentence(dataset: str, experiment: Experiment) -> str:
    """Say of one data set whether the student's gain is shown."""
    student, base = (experiment.rows[n] for n in (experiment.student, experiment.baseline))
    found = versus(student, base, "ndcg")
    if found is None:
        return f"- {NAMES[dataset]}: one training a side, so no verdict."
    shown = found.p < experiment.level and found.delta > 0
    verdict = "the student beats its baseline" if shown else "**the difference is not shown yet**"
    words = (
        f"- {NAMES[dataset]}: {verdict} (NDCG@10 {found.delta:+.4f} [{found.low:+.4f}, "
        f"{found.high:+.4f}], p {_p(found)}, {found.n_seeds_a} against {found.n_seeds_b} "
        "trainings)"
    )
    beside = [n for n in experiment.others if n in experiment.rows and n != experiment.baseline]
    rest = [
        f"{experiment.rows[n].said} p {_p(versus(student, experiment.rows[n], 'ndcg'))}"
        for n in beside
    ]
    missing = [n for n in experiment.others if n not in experiment.rows]
    words += f"; beside {', '.join(rest)}" if rest else ""
    if missing:
        words += f"; {' and '.join(f'`{name}`' for name in missing)} not measured"
    else:
        tests = [versus(student, experiment.rows[n], "ndcg") for n in experiment.others]
        largest = max(found.p for found in tests if found is not None)
        outcome = (
            "reached" if largest < experiment.level else f"missed, the largest p {p_of(largest)}"
        )
        words += (
            f". Set before: ahead of all {len(tests)} with p below {experiment.level:g}; {outcome}"
        )
    if _is_older(experiment):
        words += ". Models of the code before rotary positions, one pool for all students"
        words += _newer(dataset)
    return f"{words}."


def _is_older(experiment: Experiment) -> bool:
    return experiment.rows[experiment.baseline].files[0].is_relative_to(baselines.BEFORE_ROTARY)


def _newer(dataset: str) -> str:
    """Say which models of the present code are there while its student is not."""
    rows = shorter(dataset).rows | planned(dataset).rows
    found = [f"{row.said} {_figures(row)} ({len(row.files)})" for row in rows.values()]
    told = (
        "; of the present code so far, most by shorter trainings than are chosen now (trainings): "
    )
    return f"{told}{', '.join(found)}" if found else ""


def _figures(row: Row | None, *, bold: bool = False) -> str:
    if row is None:
        return ""
    values = [f"{np.mean(row.trainings(m).seed_means):.3f}" for m in ("recall", "ndcg")]
    text = " / ".join(values)
    return f"**{text}**" if bold else text


def _difference(row: Row, other: Row, found: RecipeTest | None) -> str:
    a, b = (r.trainings("ndcg").mean for r in (row, other))
    text = f"{a - b:+.4f} ({100 * (a - b) / b:+.1f} %)"
    if found is None:
        return f"{text}, one training: no verdict"
    return f"{text} [{found.low:+.4f}, {found.high:+.4f}]"


def _p(found: RecipeTest | None) -> str:
    """Write a p-value as in "p = .03" without its first letter; nothing where there is none."""
    return "" if found is None else p_of(found.p)
