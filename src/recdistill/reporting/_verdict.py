"""The answer in words, for people who read one paragraph."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recdistill.evaluation import p_words

if TYPE_CHECKING:
    from recdistill.reporting._comparison import Comparison
    from recdistill.reporting._contrast import Contrast

NAMES = {"recall": "recall@10", "ndcg": "NDCG@10", "mrr": "MRR@10"}
_CLAIMS = 6
_MANY_USERS = 1e7


@dataclass(frozen=True)
class Claim:
    """One thing the runs show: in words, and the figures that say so."""

    words: str
    figures: str = ""

    def __str__(self) -> str:
        return f"{self.words}: {self.figures}" if self.figures else self.words


def verdict(comparison: Comparison) -> list[Claim]:
    """Say who beats whom, by how much, and whether chance explains it.

    First a distilled student against the reference, which is what a distillation is for; then every
    model that is no floor against the best floor, and the others against the reference. A method
    *beats* another when its metric is higher and the corrected p-value, over users and trainings,
    is below the level; where recall@10 and NDCG@10 differ in that, the claim names the one. Of two
    single trainings whose noise nobody knows only these two models are spoken of.
    """
    floor, reference = comparison.best_floor, comparison.reference
    models = [row for row in comparison.rows if not row.group.is_floor]
    others = [row for row in models if row.group is not reference]
    level = comparison.level
    claims = []
    if floor is None:
        claims.append(
            Claim(
                "No floor was run on this data, so nothing here says whether a neural model was "
                "needed at all.",
                "mlflow run . -e train_baseline -P model=counter takes a second",
            )
        )
    elif reference is floor:
        named = f"the best floor, {floor.label}"
        claims += [_claim(row.against_reference, named, level) for row in others]
    else:
        against = [comparison.against_floor.get(row.label) for row in models]
        claims += [_claim(one, f"the best floor, {floor.label}", level) for one in against if one]
    if reference is not floor:
        students = [row for row in others if row.group.newest.is_student]
        rest = [row for row in others if not row.group.newest.is_student]
        first, last = (
            [_claim(row.against_reference, reference.label, level) for row in rows]
            for rows in (students, rest)
        )
        claims = [*first, *claims, *last]
    if not models:
        best = comparison.rows[0]
        recall = best.estimates["recall"].mean
        claims.append(Claim(f"Only floors were compared; {best.label} is first", f"{recall:.3f}"))
    if len(claims) > _CLAIMS:
        left = len(claims) - _CLAIMS
        claims = [*claims[:_CLAIMS], Claim(f"The table answers {left} more such questions.")]
    return claims


def _claim(contrasts: dict[str, Contrast], other: str, level: float) -> Claim:
    """One model against another, such as ``a beats b: +0.021 recall@10, 95 % CI ...``."""
    first = contrasts["recall"]
    figures = "; ".join(figures_of(one, level) for one in contrasts.values())
    return Claim(
        _words(contrasts, other, level), f"{figures}.{_counted(first)}{_how_many(contrasts, level)}"
    )


def _words(contrasts: dict[str, Contrast], other: str, level: float) -> str:
    contrast = contrasts["recall"]
    if contrast.about == "methods":
        by_metric = {m: outcome_words(one, level) for m, one in contrasts.items()}
        decided = {m: words for m, words in by_metric.items() if words != "does not beat"}
        words = next(iter(decided.values()), "does not beat")
        alone = f" in {NAMES[next(iter(decided))]} alone" if len(decided) == 1 else ""
        if len(set(decided.values())) > 1:  # better in one, worse in the other
            words = " and ".join(f"{w} it in {NAMES[m]}" for m, w in decided.items())
            return f"{contrast.of}, beside {other}: {words}"
        return f"{contrast.of} {words} {other}{alone if len(by_metric) > 1 else ''}"
    side = "is better than" if contrast.delta > 0 else "is worse than"
    if contrast.p_adjusted >= level:
        side = "does not differ significantly from"
    return f"These trained models only: {contrast.of} {side} {other}"


def outcome_words(contrast: Contrast, level: float) -> str:
    """``beats``, ``is worse than`` or ``does not beat``, by the corrected p-value."""
    if contrast.p_adjusted >= level:
        return "does not beat"
    return "beats" if contrast.delta > 0 else "is worse than"


def figures_of(contrast: Contrast, level: float) -> str:
    """Difference, interval and corrected p-value of one metric in words."""
    alone = f" ({p_words(contrast.p)} alone)" if contrast.p < level <= contrast.p_adjusted else ""
    return (
        f"{signed(contrast.delta)} {NAMES[contrast.metric]}, 95\u00a0% CI "
        f"{signed(contrast.low)} to {signed(contrast.high)}, {p_words(contrast.p_adjusted)}{alone}"
    )


def signed(value: float) -> str:
    """Three decimals with a true minus sign."""
    rounded = round(value, 3) + 0.0
    return "0.000" if rounded == 0 else f"{rounded:+.3f}".replace("-", "\u2212")


def _counted(contrast: Contrast) -> str:
    """Say what was counted: users, trainings, and where the noise is known from."""
    if contrast.about == "models":
        return " Counted over users only."
    a, b = contrast.n_seeds
    words = f" Counted over {contrast.n_users:,} users and {a} against {b} trainings"
    sides = zip((contrast.of, contrast.against), contrast.noise_runs, contrast.n_seeds, strict=True)
    known = [f"{runs} runs of {label}" for label, runs, seeds in sides if runs > seeds]
    if known:
        words += f"; how far trainings differ is known from {' and '.join(known)} in the store"
    return words + "."


def _how_many(contrasts: dict[str, Contrast], level: float) -> str:
    """Say what a verdict on the methods would take, where no metric gives one."""
    contrast = contrasts["recall"]
    decided = any(one.p_adjusted < level for one in contrasts.values())
    if contrast.about == "methods" and (decided or contrast.delta <= 0):
        return ""
    users = contrast.users_needed
    with_users = (
        f"{int(float(f'{users:.2g}')):,} users and {contrast.plan_seeds} seeds a side"
        if users < _MANY_USERS and not math.isfinite(contrast.seeds_needed)
        else ""
    )
    seeds = contrast.seeds_needed
    with_seeds = f"{seeds:.0f} seeds a side with these users" if math.isfinite(seeds) else ""
    least = "at least " if 0 in contrast.noise_runs else "about "
    if not with_users and not with_seeds:
        return " No number of seeds or users in reach would show a difference this small."
    ways = " or ".join(way for way in (with_seeds, with_users) if way)
    return (
        f" A verdict on the methods would take {least}{ways} "
        "for a difference of this size (80\u00a0% power)."
    )
