"""From trained arms to tested differences."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from recdistill.audit._findings import Difference, LanguageAudit, StratumGain
from recdistill.data import STRATA, strata
from recdistill.evaluation import (
    boil_down,
    by_item,
    by_user,
    compare_recipes,
    holm,
    outcome,
    plan_verdict,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from recdistill.audit._findings import ArmResult, Question
    from recdistill.evaluation import RecipeTest

K = 10


def measure(
    results: Sequence[ArmResult], about: dict[str, str], *, n_looks: int = 0
) -> LanguageAudit:
    """Test every difference that an audit asks about, on NDCG@10.

    Parameters
    ----------
    results : sequence of ArmResult
        Ids first; at least two trainings of each arm, all on the same cases.
    about : mapping
        Data set, model and preset.
    n_looks : int
        Models that ever met this test part.
    """
    cases = results[0].tables[0]
    users, targets = cases["user"].to_numpy(), cases["target"].to_numpy()
    stratum = strata(cases["target_popularity"].to_numpy())
    values = {
        one.arm.name: np.stack([outcome(t, "ndcg", K) for t in one.tables])  # [n_seeds, n_cases]
        for one in results
    }
    found = [
        _difference(question, of, against, values, users, targets, stratum)
        for question, of, against in _asked(results)
    ]
    adjusted = holm([one.p for one in found])
    told = [r for r in results if r.arm.kind in ("words", "pretrained")]
    return LanguageAudit(
        about=about,
        arms=tuple(results),
        differences=tuple(
            replace(one, p_adjusted=p) for one, p in zip(found, adjusted, strict=True)
        ),
        best_text=max(told, key=lambda one: one.val_ndcg).arm.name,
        n_cases=len(cases),
        n_targets=len(np.unique(targets)),
        n_looks=n_looks,
    )


def _asked(results: Sequence[ArmResult]) -> list[tuple[Question, str, str]]:
    """Pair the arms that differ in what is asked about."""
    ids, *others = [one.arm for one in results]
    told = [arm for arm in others if arm.kind in ("words", "pretrained")]
    asked: list[tuple[Question, str, str]] = [("texts", arm.name, ids.name) for arm in told]
    for arm in told:
        if arm.kind == "words":
            continue
        # A teacher's control is a teacher that was trained on random weights.
        controls = [
            other.name
            for other in others
            if other.kind == "random" and other.encoder == arm.encoder
        ]
        words = [other.name for other in others if other.kind == "words"]
        asked += [("pretraining", arm.name, other) for other in [*controls, *words]]
        asked += [
            ("whose text", arm.name, other.name)
            for other in others
            if other.kind == "permuted" and other.encoder == arm.encoder
        ]
    return asked


def _difference(
    question: Question,
    of: str,
    against: str,
    values: dict[str, NDArray[np.float64]],
    users: NDArray[np.int64],
    targets: NDArray[np.int32],
    stratum: NDArray[np.int64],
) -> Difference:
    first, second = values[of], values[against]
    over_users = _test(first, second, by_user, users)
    over_items = _test(first, second, by_item, targets)
    plan = plan_verdict(
        over_users.delta,
        over_users.user_variance,
        over_users.noise_a,
        over_users.noise_b,
        over_users.n_users,
    )
    p = max(over_users.p, over_items.p)
    return Difference(
        question=question,
        of=of,
        against=against,
        value=float(first.mean()),
        against_value=float(second.mean()),
        over_users=over_users,
        over_items=over_items,
        p=p,
        p_adjusted=p,
        n_seeds_needed=plan.n_seeds,
        strata=tuple(_by_stratum(first, second, users, stratum)),
    )


def _by_stratum(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    users: NDArray[np.int64],
    stratum: NDArray[np.int64],
) -> list[StratumGain]:
    found = []
    for row, words in enumerate(STRATA):
        inside = stratum == row
        if len(np.unique(users[inside])) < 2:  # one user has no spread
            continue
        test = _test(first[:, inside], second[:, inside], by_user, users[inside])
        found.append(
            StratumGain(
                words, int(inside.sum()), float(first[:, inside].mean()),
                float(second[:, inside].mean()), test.delta, test.low, test.high,
            )
        )  # fmt: skip
    return found


def _test(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    by: Callable[[NDArray[np.float64], NDArray[np.integer]], NDArray[np.float64]],
    ids: NDArray[np.integer],
) -> RecipeTest:
    """Test over users or items, whose ids the cases have; arrays of shape [n_seeds, n_cases]."""
    return compare_recipes(*(boil_down(by(row, ids) for row in side) for side in (first, second)))
