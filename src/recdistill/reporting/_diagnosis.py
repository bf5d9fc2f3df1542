"""Why is my student worse? Findings in plain words, and what to try next."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from recdistill.evaluation import compare_paired
from recdistill.reporting._comparison import ALPHA
from recdistill.reporting._templates import fill_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from recdistill.evaluation import Metric, PairedTest

_K = 10
_METRICS: tuple[Metric, ...] = ("recall", "ndcg")


@dataclass(frozen=True)
class Rung:
    """One step of the ladder.

    Attributes
    ----------
    name, what : what was run, in a word and in words
    effect : its difference from ``against`` in NDCG@10 on the same users
    against : the run it differs from in this one thing
    run_id : str
    """

    name: str
    what: str
    against: str
    effect: PairedTest
    run_id: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """Everything a diagnosis found.

    Attributes
    ----------
    student, teacher : paired tests against the baseline, by metric
    only_teacher, only_baseline, both : share of test users hit in the first ten by one or both
    table : what ``lessons.Inspection`` says of the lessons, by name
    rungs : the ladder
    asked_many_views : whether the teacher is several asked about many views, not one table
    """

    names: Mapping[str, str]
    student: Mapping[str, PairedTest]
    teacher: Mapping[str, PairedTest]
    only_teacher: float
    only_baseline: float
    both: float
    table: Mapping[str, float | None]
    rungs: Sequence[Rung] = field(default_factory=list)
    asked_many_views: bool = False

    def verdict(self) -> list[str]:
        """Say what is known, the most important first."""
        return [_gap(self.student["recall"]), _teacher(self), *_table(self), *_ladder(self.rungs)]

    def next_steps(self) -> list[str]:
        """Name the next three things to try."""
        table, steps = self.table, []
        hit, by_chance = table["hit_rate"] or 0.0, table["hit_rate_shuffled"] or 0.0
        if hit < 1.5 * by_chance:
            steps.append(
                "Export the teacher table again and look at its hit rate: as it is, its rows say "
                "no more about their users than popularity does."
            )
        if self.teacher["ndcg"].delta <= 0:
            steps.append(
                "Find a teacher that beats the baseline on validation before distilling: try the "
                "cheap floors (train_baseline with model=ease and model=knn, export_teacher with "
                "folds=5), alone or together with the language model."
            )
        if hit > 2.5 * max(self.teacher["recall"].value_a, 1e-9):
            steps.append(
                "Cross-fit the teacher (export_teacher with folds=5): it hits far more training "
                "targets than test targets, so its lists repeat labels it has memorised."
            )
        if (table["calibration_error"] or 0) > 0.1:
            steps.append(
                "Raise the temperature, or keep to the first ten items: the teacher's "
                "probabilities are far from its hits."
            )
        helpful = [r for r in self.rungs if r.against == "baseline" and r.effect.delta > 0]
        if helpful:
            best = max(helpful, key=lambda r: r.effect.delta)
            steps.append(
                f"Keep the term {best.name}, the best of the ladder ({_signed(best.effect.delta)} "
                "NDCG@10), and tune its weight on validation with zero among the candidates."
            )
        if self.student["recall"].p > ALPHA:
            steps.append(
                f"Measure with more users or seeds: {self._seeds()} seeds of student and baseline, "
                "averaged per user, before believing either direction."
            )
        if not self.asked_many_views:
            steps.append(
                "Ask several teachers together about many views of every history "
                "(make_transfer_set, then distill with transfer_run): students of a transfer set "
                "came up to their teachers where those of a table did not."
            )
        steps += [
            "Teach only where the teacher and the baseline differ (selection=disagreement).",
            "Start from the baseline's weights (warm_start=true) with a fifth of its lr.",
            "Anneal the terms away (annealing.shape=linear), so that the last word is the data's.",
        ]
        return steps[:3]

    def _seeds(self) -> int:
        test = self.student["recall"]
        return max(5, test.n_seeds_a + 3)

    def metrics(self) -> dict[str, float]:
        """Return the findings as metrics of a run."""
        found = {f"table/{name}": v for name, v in self.table.items() if v is not None}
        for metric, test in self.student.items():
            name = f"{metric}_at_{_K}_student_vs_baseline"
            found |= {f"delta/{name}": test.delta, f"p_users/{name}": test.p}
        return found | {f"ladder/ndcg_at_{_K}_{r.name}": r.effect.delta for r in self.rungs}

    def text(self) -> str:
        """Say verdict and next steps, as Markdown."""
        words = [f"- {said}" for said in self.verdict()]
        steps = [f"{i}. {said}" for i, said in enumerate(self.next_steps(), start=1)]
        return "\n".join(["**Verdict**", "", *words, "", "**Try next**", "", *steps])

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values, with verdict and next steps."""
        plain = asdict(self)
        return plain | {"verdict": self.verdict(), "next_steps": self.next_steps()}


def diagnose(
    names: Mapping[str, str],
    users: Mapping[str, pd.DataFrame],
    table: Mapping[str, float | None],
    rungs: Sequence[Rung],
    *,
    asked_many_views: bool,
) -> Diagnosis:
    """Test student and teacher against the baseline on the same users, and count who hits where.

    Parameters
    ----------
    names, users : of ``student``, ``baseline`` and ``teacher``, their runs' names and evaluations
        per user.
    table, rungs, asked_many_views : see :class:`Diagnosis`.

    Raises
    ------
    ValueError
        When the evaluations are not of the same cases.
    """

    def against_baseline(part: str) -> dict[str, PairedTest]:
        pair = [users[part]], [users["baseline"]]
        return {metric: compare_paired(*pair, metric=metric) for metric in _METRICS}

    hit = {part: frame["n_above"].to_numpy() < _K for part, frame in users.items()}
    return Diagnosis(
        names=names,
        student=against_baseline("student"),
        teacher=against_baseline("teacher"),
        only_teacher=float((hit["teacher"] & ~hit["baseline"]).mean()),
        only_baseline=float((hit["baseline"] & ~hit["teacher"]).mean()),
        both=float((hit["baseline"] & hit["teacher"]).mean()),
        table=table,
        rungs=rungs,
        asked_many_views=asked_many_views,
    )


def render_diagnosis(diagnosis: Diagnosis, made_by: str) -> str:
    """Write the report page."""
    filters = {"signed": _signed, "users": _users}
    return fill_in("diagnosis.html.j2", filters, diagnosis=diagnosis, made_by=made_by)


def _gap(test: PairedTest) -> str:
    size = (
        f"{_signed(test.delta)} recall@10 [{_signed(test.low)}, {_signed(test.high)}], "
        f"p = {test.p:.3f}, {test.n_better} users better and {test.n_worse} worse of {test.n_users}"
    )
    if test.p < ALPHA:
        word = "better" if test.delta > 0 else "worse"
        return (
            f"This trained student is {word} than this trained baseline, and not by the chance "
            f"of who was asked: {size}. Whether the methods differ, compare says with more seeds."
        )
    return (
        f"Nothing is shown yet: the gap between these two trained models may be chance ({size}). "
        f"A difference this large needs {_users(test.n_users_needed)} users to be seen four times "
        "in five."
    )


def _teacher(found: Diagnosis) -> str:
    test = found.teacher["ndcg"]
    sure = "clearly" if test.p < ALPHA else "not clearly"
    word = "above" if test.delta > 0 else "below"
    return (
        f"This trained teacher stands {sure} {word} the baseline ({_signed(test.delta)} NDCG@10, "
        f"p = {test.p:.3f}). It alone hits {found.only_teacher:.1%} of the users, the baseline "
        f"alone {found.only_baseline:.1%}, both {found.both:.1%}: the first figure is what there "
        "is to learn."
    )


def _table(found: Diagnosis) -> list[str]:
    table, words = found.table, []
    hit, by_chance = table["hit_rate"] or 0.0, table["hit_rate_shuffled"] or 0.0
    if hit < 1.5 * by_chance:
        words.append(
            f"The teacher table looks misaligned: its lists hold the true item in {hit:.1%} of the "
            f"rows, and in {by_chance:.1%} after dealing the rows out at random."
        )
    else:
        words.append(
            f"The teacher table is aligned: its first ten hold the true item in {hit:.1%} of the "
            f"rows, {by_chance:.1%} after dealing the rows out at random."
        )
    if (table["stale"] or 0) > 0.2 or (table["repeated_items"] or 0) > 0:
        words.append(
            f"Rows are stale or broken: {table['stale']:.1%} equal the row before them, "
            f"{table['repeated_items']:.1%} list an item twice."
        )
    return words


def _ladder(rungs: Sequence[Rung]) -> list[str]:
    harmful = [r for r in rungs if r.effect.delta < 0 and r.effect.p < ALPHA]
    words = [
        "With all weights at zero the student is not the baseline: something beside the terms "
        "differs between the two runs (seed, epochs, data, library versions)."
        for rung in rungs
        if rung.name == "zero" and rung.effect.n_better + rung.effect.n_worse
    ]
    words += [
        f"{rung.name} does harm: {rung.what} costs {_signed(rung.effect.delta)} NDCG@10 "
        f"against {rung.against} [{_signed(rung.effect.low)}, {_signed(rung.effect.high)}]."
        for rung in sorted(harmful, key=lambda r: r.effect.delta)
    ]
    if rungs and not harmful:
        words.append("No rung of the ladder does harm that these users could show.")
    if rungs:
        words.append(
            "Every rung is one training: the ladder finds what breaks a student, it does not rank "
            "what is nearly equal."
        )
    return words


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "−")


def _users(value: float) -> str:
    return f"{value:,.0f}" if math.isfinite(value) else "any number of"
