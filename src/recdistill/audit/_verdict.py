"""An audit in words: what texts add, what pretraining adds beyond them, for whom, at what cost."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from recdistill.audit._findings import LEVEL
from recdistill.evaluation import p_words

if TYPE_CHECKING:
    from recdistill.audit._findings import Difference, LanguageAudit

_RARE = {"0": "never", "1-4": "1 to 4 times", "5-19": "5 to 19 times", "20+": "20 times or more"}


def verdict(audit: LanguageAudit) -> list[str]:
    """Answer the audit's questions, one sentence or two for each, the first one first."""
    return [
        _texts(audit),
        *(_pretraining(audit, one.arm.name) for one in audit.arms if one.arm.kind == "pretrained"),
        *(_whose(one) for one in audit.answers("whose text")),
        _for_whom(audit),
        _cost(audit),
    ]


def caveats(audit: LanguageAudit) -> list[str]:
    """Say what limits the verdict."""
    said = []
    ids = audit.arms[0]
    if more := sorted({one.n_tried for one in audit.arms if one.n_tried > ids.n_tried}):
        said.append(
            f"Ids chose among {ids.n_tried} settings, texts among {more[-1]}: some of what texts "
            "gain may be the longer search. Give grid.dropout more values."
        )
    said += [
        f"{one.arm.name} chose {' and '.join(one.at_edge)}, at the edge of what was tried: the "
        "best setting may lie beyond."
        for one in audit.arms
        if one.at_edge
    ]
    if audit.about.get("preset") == "quick":
        said.append(
            "Trainings are cut short (preset=quick): this proves nothing about longer ones."
        )
    if audit.n_targets * 20 < audit.n_cases:
        said.append(
            f"{audit.n_cases:,} cases have {audit.n_targets:,} items as their targets: read the "
            "intervals over items."
        )
    said.append(
        f"{audit.best_text} stands for texts because it is best on validation. p is the larger of "
        "the tests over users and over items, both with trainings, after Holm over "
        f"{len(audit.differences)} differences; strata are not corrected."
    )
    if audit.n_looks:
        said.append(f"{audit.n_looks} models have met this test part so far.")
    return said


def _texts(audit: LanguageAudit) -> str:
    found = audit.answers("texts", audit.best_text)[0]
    if found.is_shown:
        head = "Texts add" if found.delta > 0 else "Texts do harm"
        return f"{head}: {_size(found)}."
    return f"What texts add is not shown: {_size(found)}.{_missing(found)}"


def _pretraining(audit: LanguageAudit, name: str) -> str:
    found = audit.answers("pretraining", name)
    gained = [one for one in found if one.is_shown and one.delta > 0]
    lost = [one for one in found if one.is_shown and one.delta < 0]
    sizes = "; ".join(_size(one) for one in found)
    if len(gained) == len(found):
        return f"Pretraining adds beyond the words: {sizes}."
    if lost:
        against = " and ".join(one.against for one in lost)
        return f"Pretraining does worse than {against}: {sizes}."
    if gained:
        over, missing = gained[0].against, next(one for one in found if not one.is_shown)
        return (
            f"Pretraining adds over {over}, which is not shown over {missing.against}: {sizes}."
            f"{_missing(missing)}"
        )
    return f"What pretraining adds beyond the words is not shown: {sizes}.{_missing(found[0])}"


def _whose(found: Difference) -> str:
    if found.is_shown and found.delta > 0:
        return f"It matters whose text an item has: {_size(found)}."
    return (
        f"The same vectors dealt out to other items do as well: {_size(found)}. Whatever is gained "
        f"is then not what the texts say.{_missing(found)}"
    )


def _for_whom(audit: LanguageAudit) -> str:
    found = audit.answers("texts", audit.best_text)[0]
    sure = [s for s in found.strata if s.low > 0 or s.high < 0]
    if not sure:
        return "No group of targets stands out: not the rare ones, not the popular ones."
    told = "; ".join(
        f"{signed(s.delta)} [{signed(s.low)}, {signed(s.high)}] where training saw the target "
        f"{_RARE[s.stratum]} ({s.n_cases:,} cases, {s.against:.4f} to {s.value:.4f})"
        for s in sure
    )
    return f"For whom, {found.of} less {found.against}: {told}."


def _cost(audit: LanguageAudit) -> str:
    return (
        f"A training step with texts takes {audit.cost(audit.best_text):.2f} times the processor "
        "time of one without. Serving costs the same: texts are folded into the one item table."
    )


def _size(found: Difference) -> str:
    users, items = found.over_users, found.over_items
    share = f" ({found.delta / found.against_value:+.1%})" if found.against_value else ""
    alone = ""
    if users.p < LEVEL <= items.p:
        alone = ", beyond chance over users but not over items: few items carry it"
    return (
        f"{found.of} less {found.against} is {signed(found.delta)} NDCG@10"
        f"{share.replace('-', MINUS)} [{signed(users.low)}, {signed(users.high)}], over items "
        f"[{signed(items.low)}, {signed(items.high)}], {p_words(found.p_adjusted)}{alone}"
    )


def _missing(found: Difference) -> str:
    """Say what a verdict would take."""
    have = min(found.over_users.n_seeds_a, found.over_users.n_seeds_b)
    if found.n_seeds_needed <= have:
        return " What limits it are the cases more than the trainings: other data would tell more."
    if math.isfinite(found.n_seeds_needed):
        return (
            f" A difference of this size would take about {found.n_seeds_needed:.0f} seeds a side "
            "to be shown (80 % power)."
        )
    return (
        " No number of seeds in reach would show so small a difference; a gain above "
        f"{max(found.over_users.high, 0):.4f} is unlikely."
    )


MINUS = "\u2212"


def signed(value: float) -> str:
    """Four decimals with a true minus sign."""
    return f"{value:+.4f}".replace("-", MINUS)
