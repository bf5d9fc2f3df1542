"""Numbering, grouping and ordering of many rows, each in one pass over them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray


def grouped(codes: NDArray[np.integer], n_codes: int) -> NDArray[np.int32]:
    """Give the stable order that brings equal codes together: a counting sort, linear in rows.

    Parameters
    ----------
    codes : whole numbers in 0..n_codes-1, shape [n]

    Returns
    -------
    Places of the rows, shape [n]: first those of code 0 as they came, then those of code 1, ...
    """
    n = len(codes)
    # A matrix with one entry in each column turns into rows by counting, columns kept in order.
    columns = sparse.csc_array(
        (
            np.ones(n, np.bool_),
            codes.astype(np.int32, copy=False),
            np.arange(n + 1, dtype=np.int32),
        ),
        shape=(n_codes, n),
    )
    places: NDArray[np.int32] = columns.tocsr().indices
    return places


def by_user_and_time(
    user: NDArray[np.integer], order: NDArray[np.number], n_users: int
) -> NDArray[np.integer] | None:
    """Give the stable order of rows by user, then by time; ``None`` where they have it already.

    Rows of one user and time keep the order of the file.
    """
    if bool((order[1:] >= order[:-1]).all()):  # a log as it was written
        return grouped(user, n_users)
    same = user[1:] == user[:-1]
    if bool(((user[1:] > user[:-1]) | (same & (order[1:] >= order[:-1]))).all()):
        return None
    by_time = np.argsort(order, kind="stable")
    return by_time[grouped(user[by_time], n_users)]


def starts_of(user: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Whether a row is the first of its user, rows of a user being together."""
    first = np.ones(len(user), bool)
    np.not_equal(user[1:], user[:-1], out=first[1:])
    return first


def renumbered(codes: NDArray[np.integer], kept: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Codes after all but the kept ones are gone, from 0 without gaps."""
    number = np.cumsum(kept, dtype=np.int32) - 1
    found: NDArray[np.int32] = number[codes].astype(np.int32, copy=False)
    return found
