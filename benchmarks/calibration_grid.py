"""Made-up trainings for `benchmarks.calibration`: seeds, users and noise in a grid; the speed."""

from __future__ import annotations

import itertools
import resource
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from recdistill.evaluation import (
    Metric,
    Trainings,
    boil_down,
    compare_recipes,
    expected_outcome,
    holm,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVEL = 0.05
DESIGNS = ((1, 1), (2, 2), (3, 3), (5, 5), (8, 8), (2, 8), (3, 8))
KNOWN_FROM = 8  # trainings that one-seed comparisons know the noise from
USERS = (200, 1_000, 10_000, 1_000_000)
DRAWS = {200: 1000, 1_000: 1000, 10_000: 2000, 1_000_000: 2000}
LARGE = 10_000  # users that stand for as many or more, their variances scaled to that number
# Standard deviation of a training's latent strength, on either side.
NOISE = {"none": (0.0, 0.0), "equal": (0.05, 0.05), "one side 4 times": (0.08, 0.02)}
METRICS: tuple[Metric, ...] = ("recall", "ndcg")
USER_BY_METHOD, USER_BY_TRAINING = 0.3, 0.6


def simulate() -> dict[str, Any]:
    """Count rejections where both methods are equally good on average."""
    rows = []
    cells = itertools.product(METRICS, USERS, DESIGNS, NOISE.items())
    for metric, n_users, (a, b), (noise, sds) in cells:
        rng = np.random.default_rng([n_users, a, b, *(int(1000 * sd) for sd in sds)])
        n = DRAWS[n_users]
        drawn = _large if n_users >= LARGE else _small
        p = np.array(drawn(rng, metric, n_users, (a, b), sds, n))
        rows.append(
            {
                "metric": metric, "users": n_users, "seeds": [a, b], "noise": noise, "draws": n,
                "rejected": float((p[:, 0] < LEVEL).mean()),
                "rejected_by_users_alone": float((p[:, 1] < LEVEL).mean()),
            }
        )  # fmt: skip
    return {"level": LEVEL, "rows": rows}


def _latent(rng: Any, n_users: int) -> NDArray[np.float64]:
    return rng.normal(size=n_users)  # type: ignore[no-any-return]


def _outcomes(
    rng: Any, user: NDArray[np.float64], metric: Metric, n_seeds: int, sd: float
) -> NDArray[np.float64]:
    """Outcomes of a method's trainings, shape [n_seeds, n_users].

    A user's rank hangs on the user, on how the method suits the user, on the training's strength,
    and on user and training together.
    """
    n_users = len(user)
    method = user + USER_BY_METHOD * rng.normal(size=n_users)
    latent = method + sd * rng.normal(size=(n_seeds, 1))
    latent = latent + USER_BY_TRAINING * rng.normal(size=(n_seeds, n_users))
    above = np.minimum(40 * np.exp(-1.3 * latent), 10_000).astype(np.int32)
    return expected_outcome(above, np.zeros_like(above), metric, 10)


def _small(
    rng: Any, metric: Metric, n_users: int, seeds: tuple[int, int], sds: tuple[float, ...], n: int
) -> list[tuple[float, float]]:
    """Draw every user's outcome in every training."""
    found = []
    for _ in range(n):
        user = _latent(rng, n_users)
        sides, noises = [], []
        for n_seeds, sd in zip(seeds, sds, strict=True):
            extra = KNOWN_FROM if n_seeds == 1 else 0
            drawn = _outcomes(rng, user, metric, n_seeds + extra, sd)
            sides.append(boil_down(drawn[:n_seeds]))
            noises.append(boil_down(drawn[n_seeds:]).noise() if extra else None)
        found.append(_both_tests(sides[0], sides[1], noises))
    return found


def _large(
    rng: Any, metric: Metric, n_users: int, seeds: tuple[int, int], sds: tuple[float, ...], n: int
) -> list[tuple[float, float]]:
    """Draw some users once, and for every repetition what of so many still varies: the means.

    With so many users the variances over users are as good as known, and means are normal.
    """
    scale, n_users = LARGE / n_users, LARGE
    user = _latent(rng, n_users)
    shape = []
    for n_seeds in seeds:
        few = boil_down(_outcomes(rng, user, metric, min(n_seeds + 1, 3), 0.0))
        shape.append(Trainings(few.user_means, few.seed_means, few.interaction * scale))
    slope = _slope(rng, metric)
    both = (shape[0].user_means - shape[1].user_means).var() * scale / n_users
    parts = [one.interaction / n_users for one in shape]
    averaged = sum(part / one.n_seeds for part, one in zip(parts, shape, strict=True))
    of_users = max(0.0, both - averaged)
    # User means of as many trainings as there are: the lasting difference and the averaged rest.
    lasting = rng.normal(size=n_users) * np.sqrt(of_users * n_users)
    rest = [
        rng.normal(size=n_users) * np.sqrt(s.interaction / k)
        for s, k in zip(shape, seeds, strict=True)
    ]
    means = [lasting + rest[0], rest[1]]
    found = []
    for _ in range(n):
        sides, noises = [], []
        shift = rng.normal() * np.sqrt(of_users)
        for i, (n_seeds, sd) in enumerate(zip(seeds, sds, strict=True)):
            spread = np.sqrt((sd * slope) ** 2 + parts[i])
            drawn = rng.normal(size=n_seeds) * spread + (shift if i == 0 else 0.0)
            side = Trainings(means[i], drawn, shape[i].interaction)
            sides.append(side)
            known = Trainings(means[i], rng.normal(size=KNOWN_FROM) * spread, shape[i].interaction)
            noises.append(known.noise() if n_seeds == 1 else None)
        found.append(_both_tests(sides[0], sides[1], noises))
    return found


def _slope(rng: Any, metric: Metric) -> float:
    """How much the mean outcome rises with a training's strength."""
    user = _latent(rng, 200_000)
    low, high = (
        _outcomes(np.random.default_rng(1), user + step, metric, 1, 0.0).mean()
        for step in (-0.1, 0.1)
    )
    return float(high - low) / 0.2


def _both_tests(a: Trainings, b: Trainings, noises: list[Any]) -> tuple[float, float]:
    found = compare_recipes(a, b, noise_a=noises[0], noise_b=noises[1])
    alone = (a.user_means - b.user_means).std(ddof=1) / np.sqrt(a.n_users)
    return found.p, float(2 * norm.sf(abs(found.delta) / alone))


def simulation_table(found: dict[str, Any]) -> str:
    """Write the highest and the mean rate of every design over metrics and noise."""
    rows = pd.DataFrame(found["rows"])
    rows["design"] = [f"{a} v {b}" for a, b in rows["seeds"]]
    lines = [
        "| seeds | " + " | ".join(f"{n:,} users" for n in USERS) + " | users alone, worst |",
        "|---|" + "---|" * (len(USERS) + 1),
    ]
    for design, part in rows.groupby("design", sort=False):
        cells = [
            f"{p['rejected'].mean():.3f} (to {p['rejected'].max():.3f})"
            for n in USERS
            if len(p := part[part["users"] == n])
        ]
        worst = part["rejected_by_users_alone"].max()
        lines.append(f"| {design} | " + " | ".join(cells) + f" | {worst:.3f} |")
    draws = ", ".join(f"{DRAWS[n]:,}" for n in USERS)
    lines += [
        "",
        f"Rate of rejection at level {found['level']} where both methods are equally good: mean "
        f"over recall@10, NDCG@10 and {len(NOISE)} kinds of seed noise ({', '.join(NOISE)}), in "
        f"brackets the worst of these; {draws} draws a cell. 1 v 1 knows the noise from "
        f"{KNOWN_FROM} runs.",
    ]
    return "\n".join(lines)


def speed(n_users: int = 1_000_000, n_seeds: int = 8, n_models: int = 20) -> dict[str, Any]:
    """Time the comparison of many models with the first, both metrics, corrected together."""
    rng = np.random.default_rng(0)
    spent, boiled = 0.0, []
    for _ in range(n_models):
        above = [rng.integers(0, 200, n_users, np.int32) for _ in range(n_seeds)]
        tied = np.zeros(n_users, np.int32)
        started = time.process_time()
        boiled.append(
            {m: boil_down(expected_outcome(one, tied, m, 10) for one in above) for m in METRICS}
        )
        spent += time.process_time() - started
    started = time.process_time()
    tests = [compare_recipes(one[m], boiled[0][m]) for one in boiled[1:] for m in METRICS]
    holm([test.p for test in tests])
    spent += time.process_time() - started
    return {
        "users": n_users, "seeds": n_seeds, "models": n_models, "tests": len(tests),
        "cpu_seconds": round(spent, 1),
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }  # fmt: skip


def speed_table(found: dict[str, Any]) -> str:
    """Say what a large comparison costs."""
    return (
        f"{found['models']} models with {found['seeds']} seeds each on {found['users']:,} users: "
        f"{found['tests']} tests in {found['cpu_seconds']} CPU seconds, at most "
        f"{found['peak_gib']} GiB."
    )
