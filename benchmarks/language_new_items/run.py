"""Training every row of a study, and only then opening its test part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.language_new_items.trials import chosen, fitted, write
from recdistill.evaluation import (
    boil_down,
    by_item,
    by_user,
    compare_recipes,
    evaluate,
    outcome,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from benchmarks.language_new_items.studies import Study
    from recdistill.evaluation import RecipeTest

SEEDS = range(5)


def run(study: Study) -> None:
    """Train every row with every seed, and only then open the test part."""
    on = study.data()
    ranked = {}
    for seed in SEEDS:
        for row in study.rows:
            ranked[row, seed] = study.ranked(fitted(study, row, chosen(study, row), seed, on), on)
            print(row, seed, "is trained", flush=True)
    cases = study.of_new_items(on.test, on)
    ndcg: dict[str, list[NDArray[np.float64]]] = {row: [] for row in study.rows}
    for (row, seed), model in ranked.items():
        found = evaluate(model, cases, on.catalog, on.train).per_user
        path = study.test / f"{row.replace(' ', '-')}-s{seed}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        found[["user", "n_above", "n_tied"]].to_parquet(path, compression="zstd")
        ndcg[row].append(outcome(found, "ndcg"))
    tests = {
        f"{a} against {b}": {
            over: _as_json(_tested(ndcg[a], ndcg[b], spread, ids))
            for over, spread, ids in (
                ("users", by_user, cases.users),
                ("items", by_item, cases.targets),
            )
        }
        for a, b in (study.primary, *study.secondary)
    }
    told = {
        "test": study.told(cases, on),
        "validation": study.told(study.of_new_items(on.val, on), on),
    }
    means = {row: [float(one.mean()) for one in ones] for row, ones in ndcg.items()}
    write(study.results / "verdict.json", {"told": told, "means": means, "tests": tests})


def _tested(
    a: list[NDArray[np.float64]],
    b: list[NDArray[np.float64]],
    spread: Callable[[NDArray[np.float64], NDArray[np.integer]], NDArray[np.float64]],
    ids: NDArray[np.integer],
) -> RecipeTest:
    sides = [boil_down([spread(one, ids) for one in side]) for side in (a, b)]
    return compare_recipes(*sides)


def _as_json(found: RecipeTest) -> dict[str, float]:
    return {name: float(getattr(found, name)) for name in ("delta", "low", "high", "p")}
