"""Fewer dimensions: principal components, whitened or not, found in blocks of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recdistill.texts._config import Reduction

_BLOCK = 16_384


@dataclass(frozen=True)
class Reducer:
    """An affine map to fewer dimensions: ``(x - mean) @ directions``.

    Attributes
    ----------
    mean : float64 array, shape [dim]
    directions : float64 array, shape [dim, n_components]
    """

    mean: NDArray[np.float64]
    directions: NDArray[np.float64]

    def __call__(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map rows [n, dim] to [n, n_components]."""
        reduced: NDArray[np.float32] = ((rows - self.mean) @ self.directions).astype(np.float32)
        return reduced


def fit_reducer(
    rows: NDArray[np.float32], used: NDArray[np.bool_], kind: Reduction, n_components: int
) -> Reducer:
    """Find the map; the mean square of all reduced coordinates is one.

    Texts out of a language model share a large common part that says nothing about any of them:
    every kind centres. Mean and covariance are summed over blocks of rows, so a memory-mapped
    ``rows`` never has to fit.

    Parameters
    ----------
    rows : float array, shape [n, dim]
    used : bool array, shape [n]
        Rows that count.
    kind : "pca", "whiten" or "none"
    n_components : int
        More than ``dim`` keeps ``dim``; ``none`` keeps them all.
    """
    dim, n = rows.shape[1], max(int(used.sum()), 1)
    total, products = np.zeros(dim), np.zeros((dim, dim))
    for start in range(0, len(rows), _BLOCK):
        stop = start + _BLOCK
        block = np.asarray(rows[start:stop], np.float64)[used[start:stop]]
        total += block.sum(0)
        products += block.T @ block
    mean = total / n
    covariance = products / n - np.outer(mean, mean)
    if kind == "none":
        scale = np.sqrt(max(np.trace(covariance) / dim, 1e-24))
        return Reducer(mean, np.eye(dim) / scale)
    variances, directions = np.linalg.eigh(covariance)
    kept = slice(-1, -1 - min(n_components, dim), -1)
    variances, directions = np.maximum(variances[kept], 0.0), directions[:, kept]
    # A direction's sign is arbitrary: the largest entry is made positive, on every machine.
    largest = np.abs(directions).argmax(0)
    directions = directions * np.sign(directions[largest, np.arange(len(variances))])
    if kind == "whiten":
        # Directions of nothing but rounding would come out as noise of unit size.
        real = variances > variances[0] * 1e-10
        scales = np.where(real, np.sqrt(np.where(real, variances, 1.0)), np.inf)
        return Reducer(mean, directions / scales)
    return Reducer(mean, directions / np.sqrt(max(variances.mean(), 1e-24)))
