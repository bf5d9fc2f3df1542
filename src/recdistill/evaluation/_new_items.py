"""New items among known ones: how much their scores must be moved to be fair to both.

A model places an item without interactions by its text, on a scale that training never compared
with the known items'. Its scores for new items are moved by one number, chosen on items that were
held out of training: what new items gain against what known ones lose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from recdistill.errors import UserError
from recdistill.evaluation._outcomes import expected_outcome
from recdistill.evaluation._protocol import histories_for, query_time_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recdistill.data import Cases, Sequences
    from recdistill.evaluation._recommender import Recommender

_BATCH = 256
_N_SHIFTS = 81


@dataclass(frozen=True)
class TradeOff:
    """What one shift of the new items' scores brings.

    Attributes
    ----------
    shift : float
        Added to every new item's score.
    known, new : float
        NDCG@10 in the whole catalog of the cases whose target is a known, a new item.
    """

    shift: float
    known: float
    new: float


@dataclass(frozen=True)
class Calibration:
    """The chosen shift and all that were tried.

    Attributes
    ----------
    chosen : TradeOff
    curve : list of TradeOff, smallest shift first
    known_alone : float
        NDCG@10 of known targets with no new item in the list.
    new_alone : float
        NDCG@10 of new targets among the new items alone.
    """

    chosen: TradeOff
    curve: list[TradeOff]
    known_alone: float
    new_alone: float


class Shifted:
    """A recommender whose scores of some items are moved by a constant.

    Parameters
    ----------
    inner : Recommender
    new : bool array, shape [n_items + 1]
    shift : float
    """

    def __init__(self, inner: Recommender, new: NDArray[np.bool_], shift: float) -> None:
        self.inner, self.shift = inner, shift
        self.catalog_digest, self.query_time = inner.catalog_digest, query_time_of(inner)
        self._columns = torch.from_numpy(np.flatnonzero(new))

    def score(self, histories: Sequences) -> torch.Tensor:
        """See ``Recommender``."""
        scores = self.inner.score(histories)
        scores[:, self._columns.to(scores.device)] += self.shift
        return scores


def calibrate_new_items(
    model: Recommender,
    cases: Cases,
    new: NDArray[np.bool_],
    *,
    tolerance: float = 0.02,
    max_cases: int = 4_000,
    seed: int = 0,
) -> Calibration:
    """Find the shift that ranks new items best while known ones lose little.

    Among the shifts that leave known targets at least ``1 - tolerance`` of the NDCG@10 they have
    without new items in the list, the one with the highest NDCG@10 of new targets; the smallest
    shift tried where none is that gentle. Ranks under all shifts come from one pass: what a shift
    lets past a target is counted in the differences of scores.

    Parameters
    ----------
    model : Recommender
    cases : Cases
        Of validation, with known and new targets. The history is masked.
    new : bool array, shape [n_items + 1]
        Items held out of training.
    tolerance : float
        Share of their NDCG@10 that known targets may lose.
    max_cases : int
        A sample of each kind is used of more.
    seed : int
        Of the sample.

    Raises
    ------
    UserError
        When there are no cases of one kind.
    """
    kinds = new[cases.targets]
    if kinds.all() or not kinds.any():
        missing = "known" if kinds.all() else "new"
        raise UserError(
            f"No validation target is a {missing} item, so new items cannot be weighed against "
            "known ones: prepare the data with split=cold_items."
        )
    draw = np.random.default_rng(seed)
    rows = {
        kind: draw.permutation(np.flatnonzero(kinds == kind))[:max_cases] for kind in (False, True)
    }
    spread = _spread(model, histories_for(model, cases, rows[False][:_BATCH]))
    shifts = np.linspace(-4 * spread, 4 * spread, _N_SHIFTS)
    known = _ranks(model, cases, rows[False], new, shifts)
    fresh = _ranks(model, cases, rows[True], new, shifts)
    curve = [
        TradeOff(float(shift), _ndcg(known.own + k), _ndcg(fresh.own + f))
        for shift, k, f in zip(shifts, known.others.T, fresh.others.T, strict=True)
    ]
    least = (1 - tolerance) * (alone := _ndcg(known.own))
    gentle = [point for point in curve if point.known >= least]
    chosen = max(gentle, key=lambda point: point.new) if gentle else curve[0]
    return Calibration(chosen, curve, alone, _ndcg(fresh.own))


@dataclass(frozen=True)
class _Above:
    """Items ranked above each target: of its own kind [n], of the other kind by shift [n, k]."""

    own: NDArray[np.int64]
    others: NDArray[np.int64]


def _ranks(
    model: Recommender,
    cases: Cases,
    rows: NDArray[np.int64],
    new: NDArray[np.bool_],
    shifts: NDArray[np.float64],
) -> _Above:
    own, others = [], []
    for start in range(0, len(rows), _BATCH):
        part = rows[start : start + _BATCH]
        history, targets = histories_for(model, cases, part), cases.targets[part]
        scores = model.score(history).cpu().numpy().astype(np.float64)
        here = np.arange(len(part))
        level = scores[here, targets][:, None]
        scores[history.keys()[0], history.items] = -np.inf
        scores[here, targets] = -np.inf
        fresh = new[targets[0]]
        same = new if fresh else ~new
        own.append((scores[:, same] > level).sum(1))
        # A new item passes a known target when shift > level - score; a known item stays above a
        # new target while shift < score - level.
        needed = np.sort(scores[:, ~same] - level if fresh else level - scores[:, ~same], axis=1)
        passed = np.stack([np.searchsorted(row, shifts) for row in needed])  # [batch, n_shifts]
        others.append(needed.shape[1] - passed if fresh else passed)
    return _Above(np.concatenate(own), np.concatenate(others))


def _spread(model: Recommender, histories: Sequences) -> float:
    """Mean standard deviation of a row's scores, the scale on which shifts are tried."""
    scores = model.score(histories)[:, 1:].float()
    return float(scores.std(1).mean().clamp(min=1e-6))


def _ndcg(n_above: NDArray[np.int64]) -> float:
    return float(expected_outcome(n_above, np.zeros_like(n_above), "ndcg", 10).mean())
