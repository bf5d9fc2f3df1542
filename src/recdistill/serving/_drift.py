"""How far a service's requests and answers have moved from those that its model was made for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Collection

    from numpy.typing import NDArray

    from recdistill.serving._traffic import Traffic

_N_CHANCE = 20


@dataclass(frozen=True)
class DriftLimits:
    """From where on a drift is reported; conf/watch.yaml says what each means.

    Attributes
    ----------
    refused, unknown, new : float
        Shares, at most.
    popularity : float
        Bits beyond chance, at most.
    score : float
        Standard deviations, at most.
    coverage : float
        Of what is expected, at least.
    length : float
        Times the expected, at most; and at least one divided by it.
    """

    refused: float = 0.05
    unknown: float = 0.05
    new: float = 0.1
    popularity: float = 0.1
    score: float = 0.5
    coverage: float = 0.6
    length: float = 2.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            least = 1.0 if name == "length" else 0.0
            if not least <= value < float("inf"):
                raise UserError(f"drift.{name} is {value}; it must be at least {least:g}.")


@dataclass(frozen=True)
class Measure:
    """One way in which traffic can drift.

    Attributes
    ----------
    name : str
        Of the limit, and of the metric.
    value, limit : float
    words : str
        What was found, with its limit.
    passed : bool
    """

    name: str
    value: float
    limit: float
    words: str
    passed: bool


def drift(
    recent: Traffic, expected: Traffic, untrained: Collection[str], limits: DriftLimits
) -> list[Measure]:
    """Measure recent traffic against what the model was made for.

    Parameters
    ----------
    recent : Traffic
        With at least one history.
    expected : Traffic
        Of the model's own test histories.
    untrained : raw ids of the items of the catalog without an interaction in training
    limits : DriftLimits
    """
    measures = [
        _share("refused", recent.n_refused, recent.n_requests, "of requests were refused", limits),
        _share(
            "unknown", recent.n_unknown, recent.n_items, "of ids are not in the catalog", limits
        ),
        _share(
            "new",
            sum(n for item, n in recent.newest.items() if item in untrained),
            recent.newest.total(),
            "of histories end with an item that training had not seen",
            limits,
        ),
    ]
    shift = popularity_shift(recent.newest, expected.newest)
    measures.append(
        _at_most("popularity", shift, limits.popularity,
                 f"the newest items' distribution moved by {shift:.3f} bits beyond chance")
    )  # fmt: skip
    if recent.n_answers and expected.n_answers:
        moved = abs(_mean_score(recent) - _mean_score(expected)) / _score_spread(expected)
        said = f"the best item's mean score moved by {moved:.2f} standard deviations"
        measures.append(_at_most("score", moved, limits.score, said))
        covered = coverage_ratio(recent.recommended, expected.recommended)
        words = f"as many recommendations reach {covered:.2f} times the expected items"
        passed = covered >= limits.coverage
        measures.append(
            Measure("coverage", covered, limits.coverage, _with("at least", words, limits.coverage),
                    passed)
        )  # fmt: skip
    ratio = _mean_length(recent) / _mean_length(expected)
    words = f"histories are {ratio:.2f} times as long as expected"
    passed = 1 / limits.length <= ratio <= limits.length
    allowed = f"{words} (allowed: {1 / limits.length:.2g} to {limits.length:g})"
    return [*measures, Measure("length", ratio, limits.length, allowed, passed)]


def popularity_shift(one: Counter[str], other: Counter[str], *, seed: int = 0) -> float:
    """Jensen-Shannon divergence of two distributions in bits, less what chance alone makes of it.

    Two samples of one distribution differ, the more the smaller they are. How much is found by
    dealing all counts out anew; the mean over twenty deals is taken off.

    Returns
    -------
    float in (-1, 1]; around 0 where nothing moved.

    References
    ----------
    Lin, "Divergence measures based on the Shannon entropy", IEEE Transactions on Information
    Theory 37 (1991).
    """
    items = sorted({*one, *other})
    counts = np.array([[side[item] for item in items] for side in (one, other)])  # [2, n_items]
    if not counts.sum(1).all():
        return 0.0
    draw, pooled = np.random.default_rng(seed), counts.sum(0)
    chance = []
    for _ in range(_N_CHANCE):
        dealt = draw.multivariate_hypergeometric(pooled, int(counts[0].sum()), method="marginals")
        chance.append(_divergence(dealt, pooled - dealt))
    return _divergence(counts[0], counts[1]) - float(np.mean(chance))


def coverage_ratio(one: Counter[str], other: Counter[str]) -> float:
    """Distinct items that equally many recommendations of either kind are expected to reach.

    More requests reach more items: both are brought to the smaller number (rarefaction).
    """
    n = min(one.total(), other.total())
    first, second = (_distinct(np.array(list(side.values())), n) for side in (one, other))
    return first / second


def _distinct(counts: NDArray[np.int64], n: int) -> float:
    return float((1 - (1 - counts / counts.sum()) ** n).sum())


def _divergence(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    p, q = one / one.sum(), other / other.sum()
    return _entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2


def _entropy(p: NDArray[np.float64]) -> float:
    some = p[p > 0]
    return float(-(some * np.log2(some)).sum())


def _share(name: str, part: int, whole: int, words: str, limits: DriftLimits) -> Measure:
    value = part / whole if whole else 0.0
    return _at_most(name, value, getattr(limits, name), f"{value:.1%} {words}")


def _at_most(name: str, value: float, limit: float, words: str) -> Measure:
    return Measure(name, value, limit, _with("at most", words, limit), value <= limit)


def _with(kind: str, words: str, limit: float) -> str:
    return f"{words} (allowed: {kind} {limit:g})"


def _mean_score(traffic: Traffic) -> float:
    return traffic.score_sum / traffic.n_answers


def _score_spread(traffic: Traffic) -> float:
    variance = traffic.score_squares / traffic.n_answers - _mean_score(traffic) ** 2
    return max(float(np.sqrt(max(variance, 0.0))), 1e-9)


def _mean_length(traffic: Traffic) -> float:
    return max(traffic.n_items / max(traffic.n_histories, 1), 1e-9)
