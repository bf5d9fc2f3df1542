"""The largest eigenvectors of a large sparse matrix, in float32 and in memory that is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

_SPARE = 16  # vectors beyond those asked for: they take up what would blur the last of them
_N_PASSES = 8


def largest_eigenvectors(
    matrix: sparse.csr_matrix, rank: int
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Approximate the eigenvectors of largest modulus by subspace iteration.

    A block of random vectors is multiplied with the matrix and made orthonormal anew a few times
    (Halko, Martinsson & Tropp, SIAM Review 2011, algorithm 4.4). Lanczos, more exact, keeps twice
    as many vectors in float64 and goes over the matrix hundreds of times.

    Parameters
    ----------
    matrix : sparse, symmetric, shape [n, n]
    rank : int
        At most ``n``.

    Returns
    -------
    vectors : float32 array, shape [n, rank]
        Orthonormal, that of the smallest modulus first, as ``scipy.sparse.linalg.svds`` has them.
    values : float64 array, shape [rank]
        Moduli of the eigenvalues.
    """
    narrow = matrix.astype(np.float32)
    size = min(rank + _SPARE, matrix.shape[0])
    drawn = np.random.default_rng(0).standard_normal((matrix.shape[0], size), np.float32)
    block = _orthonormal(drawn)
    for _ in range(_N_PASSES):
        block = _orthonormal(narrow @ block)  # [n, size]
    small = (block.T @ (narrow @ block)).astype(np.float64)  # [size, size]
    values, turns = np.linalg.eigh((small + small.T) / 2)
    largest = np.argsort(np.abs(values), kind="stable")[-rank:]
    return block @ turns[:, largest].astype(np.float32), np.abs(values[largest])


def _orthonormal(block: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return an orthonormal basis of the columns, [n, size]; QR would hold three such blocks."""
    gram = (block.T @ block).astype(np.float64)
    values, vectors = np.linalg.eigh(gram)
    # Directions that the matrix does not have come out as zero columns.
    scale = np.where(values > 1e-10 * values[-1], np.maximum(values, 1e-300), np.inf) ** -0.5
    basis: NDArray[np.float32] = block @ (vectors * scale).astype(np.float32)
    return basis
