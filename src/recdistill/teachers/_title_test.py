"""The papers' test of a teacher that writes titles, beside two easier ways to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recdistill.teachers._candidates import draw_candidates
from recdistill.teachers._generative_fit import choose_by_scores

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recdistill.data import Cases
    from recdistill.evaluation import Recommender
    from recdistill.teachers._candidates import Choices
    from recdistill.teachers._generative import GenerativeTeacher


def answer_cases(
    teacher: GenerativeTeacher,
    baseline: Recommender,
    cases: Cases,
    n_items: int,
    *,
    n_candidates: int,
) -> dict[str, Choices]:
    """Answer every case by a written title, by the likeliest title, and by the baseline.

    The candidates are the same for all of them and whatever the model's seed, so that all runs
    answer the same questions.
    """
    history = cases.history.tail(teacher.n_history)
    candidates = draw_candidates(history, cases.targets, n_items, n_candidates=n_candidates)
    return {
        "written": teacher.generate(history, candidates, cases.targets),
        "chosen": teacher.choose(history, candidates, cases.targets),
        "baseline": choose_by_scores(baseline, cases, candidates),
    }


def answers_table(answers: Mapping[str, Choices]) -> str:
    """Render HR@1 with its interval, the share of valid answers and the count as Markdown."""
    rows = ["| | HR@1 of all | HR@1 of valid | valid | n |", "|---|---|---|---|---|"]
    for name, choices in answers.items():
        m = choices.metrics()
        rows.append(
            f"| {name} | {m['hr_at_1_all']:.4f} [{m['hr_at_1_all_low']:.4f}, "
            f"{m['hr_at_1_all_high']:.4f}] | {m['hr_at_1_valid']:.4f} | "
            f"{m['valid_ratio']:.4f} | {m['n_cases']:.0f} |"
        )
    return "\n".join(rows)
