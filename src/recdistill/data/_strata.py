"""Targets by how often training has seen their item: the axis on which text and ids differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recdistill.data._sequences import Sequences

STRATA = ("0", "1-4", "5-19", "20+")
"""Names of the strata, by the item's interactions in training; "0" is cold."""
_FROM = np.array([1, 5, 20])


def training_counts(train: Sequences, n_items: int) -> NDArray[np.int64]:
    """Interactions of every item in training, shape [n_items + 1]; entry 0 is the padding's."""
    return np.bincount(train.items, minlength=n_items + 1)


def strata(counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """Row of ``STRATA`` for every count, of the counts' shape.

    Examples
    --------
    >>> strata(np.array([0, 1, 4, 5, 19, 20, 7_000])).tolist()
    [0, 1, 1, 2, 2, 3, 3]
    """
    return np.searchsorted(_FROM, counts, side="right")


def targets_by_stratum(
    train: Sequences, targets: NDArray[np.int32], n_items: int
) -> dict[str, int]:
    """How many targets are of items of each stratum, by the stratum's name."""
    of_target = strata(training_counts(train, n_items)[targets])
    n = np.bincount(of_target, minlength=len(STRATA))
    return dict(zip(STRATA, map(int, n), strict=True))
