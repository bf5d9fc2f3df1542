"""EASE: a linear autoencoder between items, solved in closed form."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from scipy import sparse

from recdistill.errors import UserError
from recdistill.floors._floor import Floor
from recdistill.floors._followers import popularity_prior
from recdistill.memory import free_host_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recdistill.data import Catalog, Sequences
    from recdistill.floors._config import EASEConfig


def fit_ease(sequences: Sequences, catalog: Catalog, config: EASEConfig) -> Floor:
    """Solve for the item weights: time cubic and memory quadratic in the number of items.

    With ``X [n_users, n_items]`` the binary interactions and ``P = (X'X + l2 I)^-1``, the weights
    are ``B = I - P / diag(P)`` by columns, whose diagonal is zero (Steck, "Embarrassingly Shallow
    Autoencoders for Sparse Data", WWW 2019, equation 8).

    Raises
    ------
    UserError
        Where the tables do not fit into memory.
    """
    require_memory(catalog.n_items, n_tables=2)
    taken = taken_by_users(sequences, catalog.n_items)
    table = torch.from_numpy((taken.T @ taken).toarray())  # [n_items, n_items]
    table.diagonal().add_(config.l2)
    # One table throughout: the Gram matrix, its factor, its inverse, the weights.
    torch.linalg.cholesky(table, out=table)
    torch.cholesky_inverse(table, out=table)
    return _floor(table, sequences, catalog, config)


def refit_ease_without(
    floor: Floor,
    config: EASEConfig,
    sequences: Sequences,
    users: NDArray[np.int64],
    catalog: Catalog,
) -> Floor:
    """Take some users out of a fitted EASE, at the price of a matrix product.

    Leaving out the rows ``F`` of ``k`` users changes the Gram matrix by ``F'F``, of rank ``k``, and
    its inverse by the Woodbury identity: ``P + P F' (I - F P F')^-1 F P``.

    Parameters
    ----------
    floor : Floor
        Fitted on ``sequences``, with ``inverse_diagonal``.
    config : EASEConfig
        That of ``floor``.
    sequences : Sequences of n_users rows
    users : rows to leave out, shape [k], no more than half as many as items
    catalog : Catalog
    """
    require_memory(catalog.n_items, n_tables=3)
    if floor.inverse_diagonal is None:
        raise ValueError("without its inverse's diagonal an EASE must be fitted anew")
    diagonal = floor.inverse_diagonal[1:]
    # P is symmetric and (I - B) diag(P) by columns.
    inverse = floor.votes[1:, 1:].neg().mul_(diagonal)
    inverse.diagonal().copy_(diagonal)

    gone = taken_by_users(sequences.take(users), catalog.n_items)  # F
    reached = torch.from_numpy(gone @ inverse.numpy())  # F P, [k, n_items]
    inner = torch.eye(len(users), dtype=torch.float64)
    inner -= torch.from_numpy(gone @ reached.T.numpy()).double()
    factor = torch.linalg.cholesky(inner)
    half = torch.linalg.solve_triangular(factor, reached.double(), upper=False).float()
    inverse.addmm_(half.T, half)
    others = np.setdiff1d(np.arange(len(sequences)), users)
    return _floor(inverse, sequences.take(others), catalog, config)


def taken_by_users(sequences: Sequences, n_items: int) -> sparse.csr_array:
    """Who took what, float32, shape [n_users, n_items]."""
    users = np.repeat(np.arange(len(sequences)), sequences.lengths)
    shape = (len(sequences), n_items)
    taken = sparse.csr_array(
        (np.ones(len(users), np.float32), (users, sequences.items - 1)), shape=shape
    )
    taken.data[:] = 1.0  # an item taken twice by a user still counts once
    return taken


def _floor(
    inverse: torch.Tensor, sequences: Sequences, catalog: Catalog, config: EASEConfig
) -> Floor:
    """Turn the inverse into the weights, in place."""
    diagonal = inverse.diagonal().clone()
    inverse.div_(-diagonal)
    inverse.diagonal().zero_()
    return Floor(
        kind="ease",
        config=asdict(config),
        catalog_digest=catalog.digest,
        votes=F.pad(inverse, (1, 0, 1, 0)),
        prior=popularity_prior(sequences, catalog.n_items, config.prior),
        n_voters=config.history,
        decay=config.decay,
        inverse_diagonal=F.pad(diagonal, (1, 0)),
    )


def require_memory(n_items: int, n_tables: int) -> None:
    needed, free = n_tables * 4 * (n_items + 1) ** 2, free_host_bytes()
    if needed > free:
        raise UserError(
            f"EASE over {n_items:,} items keeps {n_tables} dense tables, {needed / 1e9:,.1f} GB, "
            f"and {free / 1e9:,.1f} GB of memory are free: take knn or counter, whose tables are "
            "sparse, or fewer items (min_interactions)."
        )
