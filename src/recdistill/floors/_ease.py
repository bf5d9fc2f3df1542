"""EASE: a linear autoencoder between items, solved in closed form."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from scipy import sparse

from recdistill.floors._floor import Floor
from recdistill.floors._followers import popularity_prior

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
    users = np.repeat(np.arange(len(sequences)), sequences.lengths)
    taken = sparse.csr_array(
        (np.ones(len(users), np.float32), (users, sequences.items - 1)), shape=(len(sequences), n)
    )
    taken.data[:] = 1.0  # an item taken twice by a user still counts once
    gram = torch.from_numpy((taken.T @ taken).toarray())  # [n_items, n_items]
    gram.diagonal().add_(config.l2)
    precision = torch.cholesky_inverse(torch.linalg.cholesky(gram))
    weights = precision.div_(-precision.diagonal())
    weights.diagonal().zero_()
    return Floor(
        kind="ease",
        config=asdict(config),
        catalog_digest=catalog.digest,
        votes=F.pad(weights, (1, 0, 1, 0)),
        prior=popularity_prior(sequences, n, config.prior),
        n_voters=config.history,
        decay=config.decay,
    )
