"""EASE: a linear autoencoder between items, solved in closed form."""

from __future__ import annotations

from dataclasses import asdict, dataclass
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
    from recdistill.data import Catalog, Sequences


@dataclass(frozen=True)
class EASEConfig:
    """Settings of EASE with a decaying history.

    Attributes
    ----------
    l2 : float
        Ridge penalty, the paper's lambda. More pulls towards plain co-occurrence.
    history : int
        This many newest items vote. The paper lets all of them vote alike.
    decay : float
        An item's votes count this much less for every step it lies back; 1 is the paper's.
    prior : float
        Votes the most popular item gets for its popularity; others in proportion.
    """

    l2: float = 500.0
    history: int = 50
    decay: float = 0.85
    prior: float = 0.0001


def fit_ease(sequences: Sequences, catalog: Catalog, config: EASEConfig) -> Floor:
    """Solve for the item weights: time cubic and memory quadratic in the number of items.

    With ``X [n_users, n_items]`` the binary interactions and ``P = (X'X + l2 I)^-1``, the weights
    are ``B = I - P / diag(P)`` by columns, whose diagonal is zero (Steck, "Embarrassingly Shallow
    Autoencoders for Sparse Data", WWW 2019, equation 8).
    """
    n = catalog.n_items
    _require_memory(n)
    users = np.repeat(np.arange(len(sequences)), sequences.lengths)
    taken = sparse.csr_array(
        (np.ones(len(users), np.float32), (users, sequences.items - 1)), shape=(len(sequences), n)
    )
    taken.data[:] = 1.0  # an item taken twice by a user still counts once
    table = torch.from_numpy((taken.T @ taken).toarray())  # [n_items, n_items]
    table.diagonal().add_(config.l2)
    # One table throughout: Gram matrix, its factor, its inverse, the weights.
    torch.linalg.cholesky(table, out=table)
    torch.cholesky_inverse(table, out=table)
    table.div_(-table.diagonal())
    table.diagonal().zero_()
    return Floor(
        kind="ease",
        config=asdict(config),
        catalog_digest=catalog.digest,
        votes=F.pad(table, (1, 0, 1, 0)),
        prior=popularity_prior(sequences, n, config.prior),
        n_voters=config.history,
        decay=config.decay,
    )


def _require_memory(n_items: int) -> None:
    needed, free = 2 * 4 * (n_items + 1) ** 2, free_host_bytes()
    if needed > free:
        raise UserError(
            f"EASE over {n_items:,} items keeps two dense tables, {needed / 1e9:,.1f} GB, and "
            f"{free / 1e9:,.1f} GB of memory are free: take knn or counter, whose tables are "
            "sparse, or fewer items (min_interactions)."
        )
