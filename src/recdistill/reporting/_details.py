"""What a report shows beside the metrics: costs, settings that differ, commands, data."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from recdistill.reporting._groups import differing_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recdistill.reporting._comparison import Comparison, Row
    from recdistill.reporting._groups import Group

_NARROW = 8
_COLUMNS_SHOWN = 12


@dataclass(frozen=True)
class Table:
    """A plain table of text."""

    title: str
    columns: list[str]
    rows: list[list[str]] = field(default_factory=list)
    note: str = ""


def duration(seconds: float) -> str:
    """``0.4 s``, ``38 s``, ``12 min``, ``3.1 h``; a dash where nothing was measured."""
    if math.isnan(seconds):
        return "\u2013"
    if seconds < 10:
        return f"{seconds:.2g} s" if seconds < 1 else f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def megabytes(value: float) -> str:
    """``640 MB`` or ``12.3 GB``, powers of ten; a dash where nothing was measured."""
    if math.isnan(value):
        return "\u2013"
    return f"{value:,.0f} MB" if value < 10_000 else f"{value / 1000:.1f} GB"


def cost_table(comparison: Comparison) -> Table:
    """Seconds and memory peaks of every phase of every group, means over seeds."""
    groups = [row.group for row in comparison.rows]
    phases = _phases(groups)
    rows = [[g.label, *(_cost(g, phase) for phase in phases)] for g in groups]
    return Table(
        "Time and memory per stage",
        ["Model", *phases],
        rows,
        "Per phase of the run: seconds and the process's memory peak, on a GPU also what it "
        "allocated and reserved at most. Means over seeds; one MB is 10\u2076 bytes.",
    )


def _phases(groups: Sequence[Group]) -> list[str]:
    """Phases any run went through, the fit first."""
    names = {name for g in groups for run in g.runs for name in run.reference.metrics}
    found = (re.fullmatch(r"time/(.+)_seconds", name) for name in names)
    return sorted({m[1] for m in found if m}, key=lambda phase: (phase != "fit", phase))


def _cost(group: Group, phase: str) -> str:
    seconds, rss, allocated, reserved = (
        group.metric(name)
        for name in (
            f"time/{phase}_seconds",
            f"memory/{phase}_peak_rss_mb",
            f"memory/{phase}_peak_allocated_mb",
            f"memory/{phase}_peak_reserved_mb",
        )
    )
    if math.isnan(seconds):
        return "\u2013"
    text = f"{duration(seconds)}, {megabytes(rss)}"
    if not math.isnan(allocated):
        text += f", GPU {megabytes(allocated)} / {megabytes(reserved)}"
    return text


def settings_table(comparison: Comparison) -> Table:
    """List the settings that are not the same in all groups; the longer side runs downwards."""
    groups = [row.group for row in comparison.rows]
    differing = {
        name: values
        for name, values in differing_settings([g.runs for g in groups]).items()
        if name != "model" or len(set(values)) > 1
    }
    title = "Parameters that differ"
    if not differing:
        return Table(title, [], note="None: every parameter but the seed is the same.")
    if len(groups) <= _NARROW:
        rows = [[name, *(v or "\u2013" for v in values)] for name, values in differing.items()]
        return Table(title, ["Parameter", *(g.label for g in groups)], rows)
    names = sorted(differing, key=lambda name: -len(set(differing[name])))[:_COLUMNS_SHOWN]
    rows = [[g.label, *(differing[n][i] or "\u2013" for n in names)] for i, g in enumerate(groups)]
    left = len(differing) - len(names)
    note = f"{left} more parameters differ; comparison.json has them all." if left else ""
    return Table(title, ["Model", *names], rows, note)


@dataclass(frozen=True)
class Commands:
    """Commands to run at one state of the code."""

    words: str
    lines: list[str]


def commands(comparison: Comparison, selected: Sequence[str]) -> list[Commands]:
    """Say what to type to get these runs, by state of the code, and then this report."""
    by_code: dict[str, list[str]] = {}
    for row in comparison.rows:
        for run in reversed(row.group.runs):
            tags = run.reference.tags
            commit = tags.get("mlflow.source.git.commit", "")[:12]
            words = f"At commit {commit}" if commit else "Outside a git checkout"
            if tags.get("git.dirty") == "true":
                words += ", with the changes kept in each run as environment/git.diff"
            command = tags.get("command") or f"# run {run.id} kept no command"
            lines = by_code.setdefault(words + ":", [])
            if command not in lines:
                lines.append(command)
    again = ["mlflow", "run", ".", "-e", "compare", "-P", f"runs={','.join(selected)}"]
    return [
        *(Commands(words, lines) for words, lines in by_code.items()),
        Commands("This report:", [shlex.join(again)]),
    ]


def data_details(comparison: Comparison) -> list[tuple[str, str]]:
    """Return name and value of what all runs share: data, digests, protocol, tests."""
    newest = comparison.reference.newest.reference
    attrs = comparison.reference.cases.attrs
    draws = comparison.resampling
    return [
        ("Data set", newest.tags.get("dataset", "unknown")),
        ("Split", newest.tags.get("split", "unknown")),
        ("Test cases", f"{comparison.n_cases:,}, one target each"),
        ("Catalog", f"{attrs.get('n_items', 0):,} items, all ranked"),
        ("Protocol", f"{attrs.get('protocol', 'unknown')}; history masked"),
        ("Catalog digest", newest.tags.get("catalog.digest", "unknown")),
        ("Split digest", newest.tags.get("split.digest", "unknown")),
        ("Test cases digest", str(attrs.get("cases_digest", "unknown"))),
        ("Looks at this test part", str(comparison.history.n_looks or "not counted")),
        (
            "Tests",
            "methods: t over users and trainings, two-sided, degrees of freedom after "
            "Satterthwaite; two trained models: paired over users, McNemar's exact test on hits, "
            f"otherwise permutation ({draws.n_resamples:,} draws), intervals by bootstrap over "
            f"users ({draws.n_bootstrap:,} draws), of recall by Clopper and Pearson where a user "
            "has one case; "
            f"{comparison.n_tests} p-values corrected together (Holm), "
            f"level {comparison.level:.2g}",
        ),
    ]


def noise_of(row: Row, metric: str) -> str:
    """``.0044 (12)``: standard deviation between trainings, and from how many runs it is known."""
    noise = row.noise.get(metric)
    if noise is None:
        return "unknown"
    return "none" if noise.variance == 0 else f"{noise.variance**0.5:.4f} ({noise.n_runs})"


def seeds_of(group: Group) -> str:
    """``0, 1, 2``, or a count where there are many."""
    seeds = group.seeds
    return ", ".join(seeds) if 0 < len(seeds) <= 4 else str(max(len(seeds), len(group.runs)))
