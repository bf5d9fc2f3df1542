"""The answer in words, for people who read one paragraph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recdistill.reporting._comparison import Comparison
    from recdistill.reporting._contrast import Contrast

ALPHA = 0.05
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

    First every model that is no floor against the best floor, then against the reference. A model
    *beats* another when its recall@10 is higher and the corrected p-value is below 0.05.
    """
    floor, reference = comparison.best_floor, comparison.reference
    models = [row for row in comparison.rows if not row.group.is_floor]
    others = [row for row in models if row.group is not reference]
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
        claims += [_claim(row.against_reference, named) for row in others]
    else:
        against = [comparison.against_floor.get(row.label) for row in models]
        claims += [_claim(one, f"the best floor, {floor.label}") for one in against if one]
    if reference is not floor:
        claims += [_claim(row.against_reference, reference.label) for row in others]
    if not models:
        best = comparison.rows[0]
        recall = best.estimates["recall"].mean
        claims.append(Claim(f"Only floors were compared; {best.label} is first", f"{recall:.3f}"))
    if len(claims) > _CLAIMS:
        left = len(claims) - _CLAIMS
        claims = [*claims[:_CLAIMS], Claim(f"The table answers {left} more such questions.")]
    return claims


def _claim(contrasts: dict[str, Contrast], other: str) -> Claim:
    """One model against another, such as ``a beats b: +0.021 recall@10, 95 % CI ...``."""
    first = contrasts["recall"]
    figures = "; ".join(figures_of(one) for one in contrasts.values())
    return Claim(f"{first.of} {outcome_words(first)} {other}", f"{figures}.{_how_many(first)}")


def outcome_words(contrast: Contrast) -> str:
    """``beats``, ``is worse than`` or ``does not beat``, by the corrected p-value."""
    if contrast.p_adjusted >= ALPHA:
        return "does not beat"
    return "beats" if contrast.delta > 0 else "is worse than"


def figures_of(contrast: Contrast) -> str:
    """Difference, interval and corrected p-value of one metric in words."""
    alone = f" ({p_words(contrast.p)} alone)" if contrast.p < ALPHA <= contrast.p_adjusted else ""
    return (
        f"{signed(contrast.delta)} {NAMES[contrast.metric]}, 95\u00a0% CI "
        f"{signed(contrast.low)} to {signed(contrast.high)}, {p_words(contrast.p_adjusted)}{alone}"
    )


def signed(value: float) -> str:
    """Three decimals with a true minus sign."""
    rounded = round(value, 3) + 0.0
    return "0.000" if rounded == 0 else f"{rounded:+.3f}".replace("-", "\u2212")


def p_words(p: float) -> str:
    """``p=0.03``, or ``p<0.001`` where more digits mean nothing."""
    if p < 0.001:
        return "p<0.001"
    return f"p={p:.3f}" if p < 0.1 else f"p={p:.2f}"


def _how_many(contrast: Contrast) -> str:
    if contrast.p_adjusted < ALPHA or contrast.delta <= 0:
        return ""
    if contrast.n_needed > _MANY_USERS:
        return " Not even ten million test users would be likely to show a difference this small."
    needed = int(float(f"{contrast.n_needed:.2g}"))
    if needed > contrast.n_cases:
        return (
            f" About {needed:,} test users would be needed to show a difference of this size "
            f"(80\u00a0% power); there are {contrast.n_cases:,}."
        )
    return ""
