"""What a service was asked and what it answered, as counts: no request can be rebuilt from them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from recdistill.data import Sequences
    from recdistill.serving._names import ItemNames
    from recdistill.serving._top_k import TopK

_K = 10
_MOST_SAMPLED = 2_000
_COUNTS = ("n_requests", "n_refused", "n_histories", "n_items", "n_unknown", "n_answers")


@dataclass
class Traffic:
    """Counts over some requests.

    Attributes
    ----------
    n_requests, n_refused : int
        Requests, and those of them that were answered with an error.
    n_histories, n_items, n_unknown : int
        Histories, the items in them, and those of these that the catalog does not know.
    n_answers : int
        Histories that were answered.
    score_sum, score_squares : float
        Of the best item's score in each answer.
    newest : Counter
        How often an item was the newest known one of a history, by raw id.
    recommended : Counter
        How often an item was among the first ten of an answer, by raw id.
    """

    n_requests: int = 0
    n_refused: int = 0
    n_histories: int = 0
    n_items: int = 0
    n_unknown: int = 0
    n_answers: int = 0
    score_sum: float = 0.0
    score_squares: float = 0.0
    newest: Counter[str] = field(default_factory=Counter)
    recommended: Counter[str] = field(default_factory=Counter)

    def add_request(
        self,
        histories: Sequence[Any],
        answers: Sequence[Mapping[str, Any]] | None,
        names: ItemNames,
    ) -> None:
        """Count one request.

        Parameters
        ----------
        histories : as they came, right or wrong
        answers : as they went out, each with ``items`` and ``scores``; None when it was refused
        names : of the catalog that answered
        """
        self.n_requests += 1
        self.n_refused += answers is None
        for history in histories:
            if isinstance(history, list | tuple | np.ndarray):
                found = [names.find(name) for name in history]
                self._add_history(found, names)
        for answer in answers or ():
            self._add_answer(answer["items"], answer["scores"])

    def add(self, other: Traffic) -> None:
        """Count what another has counted."""
        for name in (*_COUNTS, "score_sum", "score_squares"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.newest.update(other.newest)
        self.recommended.update(other.recommended)

    def plain(self) -> dict[str, Any]:
        """Return plain values, for a file."""
        return {
            **vars(self), "newest": dict(self.newest), "recommended": dict(self.recommended)
        }  # fmt: skip

    @classmethod
    def of_plain(cls, values: Mapping[str, Any], where: str) -> Self:
        """Read back what ``plain`` gave.

        Raises
        ------
        UserError
            When these are no such values; ``where`` names their place.
        """
        try:
            numbers = {name: int(values[name]) for name in _COUNTS}
            sums = {name: float(values[name]) for name in ("score_sum", "score_squares")}
            items = {
                name: Counter({str(k): int(n) for k, n in values[name].items()})
                for name in ("newest", "recommended")
            }
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(
                f"{where} is no line of a service's request log ({type(error).__name__}: {error})."
            ) from None
        return cls(**numbers, **sums, **items)  # type: ignore[arg-type]

    def _add_history(self, found: Iterable[int], names: ItemNames) -> None:
        items = list(found)
        known = [item for item in items if item]
        self.n_histories += 1
        self.n_items += len(items)
        self.n_unknown += len(items) - len(known)
        if known:
            self.newest[str(names.raw_ids[known[-1]])] += 1

    def _add_answer(self, items: Sequence[str], scores: Sequence[float]) -> None:
        if len(items):
            self.n_answers += 1
            self.score_sum += float(scores[0])
            self.score_squares += float(scores[0]) ** 2
            self.recommended.update(map(str, items[:_K]))


def expected_traffic(top_k: TopK, histories: Sequences, *, seed: int = 0) -> Traffic:
    """Return the traffic of a service that these histories ask, once each.

    Parameters
    ----------
    top_k : TopK
    histories : Sequences
        In the student's own item ids; of more than 2,000 a sample is taken.
    seed : of the sample
    """
    usable = np.flatnonzero(histories.lengths > 0)
    rows = np.random.default_rng(seed).permutation(usable)[:_MOST_SAMPLED]
    asked, names = histories.take(rows), top_k.names
    k = min(_K, names.n_items)
    items, scores = top_k.recommend(
        asked.items.astype(np.int64), asked.offsets, k, keep_history=True
    )
    traffic = Traffic(n_requests=len(rows))
    for row in range(len(rows)):
        traffic._add_history(asked.row(row).tolist(), names)
        traffic._add_answer(names.raw_ids[items[row]].tolist(), scores[row].tolist())
    return traffic
