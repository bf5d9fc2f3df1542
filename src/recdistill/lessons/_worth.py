"""What each teacher of a pool is worth: alone, to the others, and beside them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from recdistill.evaluation import bootstrap_interval
from recdistill.lessons._stacking import stack

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from recdistill.lessons._member_scores import MemberScores

_FACTORS = (0.0, 0.3, 0.6, 1.5, 2.5)
_ROUNDS = 2
_SMALLEST_GAIN = 1e-6


@dataclass(frozen=True)
class MemberWorth:
    """One member, on validation.

    Attributes
    ----------
    name : str
    ndcg_at_10 : float
        By itself.
    adds : float
        NDCG@10 of the pool less that of the others, weighed anew, on cases that neither was
        weighed by.
    low, high : float
        Its 95 % interval over the cases: of these trained models, not of their recipes.
    """

    name: str
    ndcg_at_10: float
    adds: float
    low: float
    high: float


@dataclass(frozen=True)
class PoolWorth:
    """A pool and its members, on validation.

    Attributes
    ----------
    ndcg_at_10 : float
        Of the pool weighed by one half of the cases, on the other half.
    ndcg_at_10_by_ndcg : float
        The same, weighed by NDCG@10 and shrunk; see ``weigh_by_ndcg``.
    members : tuple of MemberWorth
    oracle_recall_at_10 : float
        Share of cases that at least one member answers: what the best choice among them reaches.
    overlap : dict of float by two members' names
        Jaccard index of the cases that they answer; 1 for members that know the same.
    n_cases : int
    """

    ndcg_at_10: float
    ndcg_at_10_by_ndcg: float
    members: tuple[MemberWorth, ...]
    oracle_recall_at_10: float
    overlap: dict[str, float]
    n_cases: int

    def metrics(self) -> dict[str, float]:
        """Return the figures by the names of a run's metrics."""
        found = {
            "teacher/val_ndcg_at_10": self.ndcg_at_10,
            "teacher/val_ndcg_at_10_by_ndcg": self.ndcg_at_10_by_ndcg,
            "teacher/oracle_recall_at_10": self.oracle_recall_at_10,
        }
        for member in self.members:
            found[f"teacher/alone/{member.name}"] = member.ndcg_at_10
            found[f"teacher/adds/{member.name}"] = member.adds
        return found

    def as_json(self) -> dict[str, Any]:
        """Return all of it for a file."""
        return asdict(self)

    def sentences(self) -> list[str]:
        """Say what each teacher adds, and for which of them that is not shown."""
        order = sorted(self.members, key=lambda member: -member.adds)
        said = ", ".join(
            f"{m.name} {m.adds:+.4f} [{m.low:+.4f}, {m.high:+.4f}] (alone {m.ndcg_at_10:.4f})"
            for m in order
        )
        words = [f"What each teacher adds to the others, validation NDCG@10: {said}."]
        if unsure := [m.name for m in order if m.low <= 0]:
            words.append(
                f"Left out one at a time, these {self.n_cases} cases show no loss for "
                f"{' or '.join(unsure)}."
            )
        return words


def judge_members(
    scores: MemberScores,
    names: Sequence[str],
    *,
    seed: int = 0,
    report: Callable[[int], None] | None = None,
) -> PoolWorth:
    """Weigh by one half of the cases and judge by the other, and the other way round.

    Parameters
    ----------
    scores : MemberScores
        Of at least two cases.
    names : one per member
    seed : int
        How the cases are halved.
    report : callable, optional
        Receives 1 after each of the two times that a member was left out.
    """
    n, everyone = len(scores.targets), range(len(names))
    first = np.zeros(n, np.bool_)
    first[np.random.default_rng(seed).permutation(n)[: n // 2]] = True
    pool, by_ndcg = np.zeros(n), np.zeros(n)
    without = np.zeros((len(names), n))
    for judged in (first, ~first):
        weighed, asked = scores.take(~judged), scores.take(judged)
        weights = weighed.weights()
        pool[judged] = asked.outcome(weights)
        by_ndcg[judged] = asked.outcome(weigh_by_ndcg(weighed, weights))
        for member in everyone if len(names) > 1 else ():
            others = [*weights[:member], *weights[member + 1 :]]
            found = weighed.without(member).weights(start=others)
            without[member, judged] = asked.without(member).outcome(found)
            if report:
                report(1)
    alone = [np.eye(len(names))[m].tolist() for m in everyone]
    answered = np.array([scores.outcome(w, "recall") for w in alone])  # [members, n_cases]
    return PoolWorth(
        float(pool.mean()),
        float(by_ndcg.mean()),
        tuple(
            MemberWorth(
                name,
                float(scores.outcome(alone[m]).mean()),
                float((pool - without[m]).mean()),
                *bootstrap_interval(pool - without[m]),
            )
            for m, name in enumerate(names)
        ),
        float(answered.max(0).mean()),
        {
            f"{names[a]} and {names[b]}": overlap_of_hits(answered[a], answered[b])
            for a, b in combinations(everyone, 2)
        },
        n,
    )


def weigh_by_ndcg(
    scores: MemberScores, start: Sequence[float], *, shrink: float = 0.5
) -> tuple[float, ...]:
    """Climb to the best mean NDCG@10, and go only a part of the way there.

    NDCG@10 of some thousand cases is a rough hill: its top is where these cases happen to lie. What
    the likelihood says is smooth and pulls back. The sum is then brought to the scale that makes
    the targets most likely, as lists need probabilities.

    Parameters
    ----------
    scores : MemberScores
    start : one weight per member
        By likelihood.
    shrink : float
        How far back towards ``start``: 0 is the top that was climbed, 1 is ``start``.
    """
    best, top = float(scores.outcome(start).mean()), list(start)
    smallest = max(start) / 4
    for _ in range(_ROUNDS):
        for member in range(len(top)):
            base = top[member] or smallest
            for factor in _FACTORS:
                tried = [*top[:member], base * factor, *top[member + 1 :]]
                value = float(scores.outcome(tried).mean())
                if value > best + _SMALLEST_GAIN:
                    best, top = value, tried
    # Only ratios matter to ranks: how large a climbed weight is says nothing.
    scale = sum(start) / sum(top) if sum(top) else 1.0
    mixed = [shrink * a + (1 - shrink) * scale * b for a, b in zip(start, top, strict=True)]
    together = sum((w * t for w, t in zip(mixed, scores.terms, strict=True) if w), torch.zeros(()))
    if not together.ndim:
        return tuple(start)
    (inverse_temperature,), _ = stack([together], scores.targets, scores.hidden)
    # Nought where what ranks best makes the targets no likelier than guessing: too few cases.
    return tuple(w * inverse_temperature for w in mixed) if inverse_temperature else tuple(start)


def overlap_of_hits(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the Jaccard index of two models' hits, each an array of shape [n_cases]."""
    either = float(np.maximum(one, other).sum())
    return float((one * other).sum()) / either if either else 0.0
