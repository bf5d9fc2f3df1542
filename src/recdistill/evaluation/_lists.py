"""What the recommended lists look like as a whole: coverage and popularity bias."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recdistill.evaluation._outcomes import KS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recdistill.data import Sequences


def popularity_percentile(popularity: NDArray[np.integer]) -> NDArray[np.float64]:
    """Share of the catalog less popular than each item, equally popular items counted half.

    Parameters
    ----------
    popularity : integer array, shape [n_items + 1]
        Training interactions per item; entry 0 is padding.

    Returns
    -------
    float64 array, shape [n_items + 1], values in (0, 1), mean 0.5 over items; entry 0 is 0

    Examples
    --------
    >>> popularity_percentile(np.array([0, 7, 1, 1, 0])).tolist()
    [0.0, 0.875, 0.5, 0.5, 0.125]
    """
    counts = np.sort(popularity[1:])
    below = np.searchsorted(counts, popularity, side="left")
    through = np.searchsorted(counts, popularity, side="right")
    percentile: NDArray[np.float64] = (below + through) / (2 * len(counts))
    percentile[0] = 0.0
    return percentile


def describe_lists(
    top: NDArray[np.integer], histories: Sequences, percentile: NDArray[np.float64]
) -> dict[str, float]:
    """Coverage, mean popularity percentile and popularity lift of the top-k lists.

    Parameters
    ----------
    top : integer array, shape [n_cases, depth]
        Recommended items, best first; 0 where there was nothing left to recommend.
    histories : Sequences of n_cases rows
        What popularity is held against: a lift above 1 means that the model recommends more
        popular items than its users choose.
    percentile : float array, shape [n_items + 1], from `popularity_percentile`
    """
    n_items = len(percentile) - 1
    chosen = float(percentile[histories.items].mean()) if len(histories.items) else 0.0
    values: dict[str, float] = {}
    for k in KS:
        times = np.bincount(top[:, :k].ravel(), minlength=n_items + 1)[1:]  # [n_items]
        popularity = float(times @ percentile[1:] / max(times.sum(), 1))
        values[f"coverage_at_{k}"] = float((times > 0).mean())
        values[f"popularity_at_{k}"] = popularity
        if chosen > 0:
            values[f"popularity_lift_at_{k}"] = popularity / chosen
    return values
