"""EASE that is pulled towards what the texts say of each other, in closed form."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from recdistill.floors._ease import require_memory, taken_by_users
from recdistill.floors._floor import Floor
from recdistill.floors._followers import popularity_prior

if TYPE_CHECKING:
    from torch import Tensor

    from recdistill.data import Catalog, Sequences
    from recdistill.floors._config import TextEASEConfig


def fit_text_ease(sequences: Sequences, catalog: Catalog, config: TextEASEConfig) -> Floor:
    """Solve EASE with a second penalty, on the distance to the texts' own item weights.

    With ``G = X'X`` and the texts' weights ``S`` (EASE over the texts' vectors in place of users)

        B = argmin |X - XB|^2 + l2 |B|^2 + k |B - S|^2,  diag(B) = 0
          = I + k P S - P diag(m),  P = (G + (l2 + k) I)^-1,  m_j = (1 + k (P S)_jj) / P_jj

    after L3AE (arXiv 2508.13500). The texts' vectors are narrow, so ``S`` is a diagonal matrix and
    a low-rank one, ``P S`` takes no product of two square matrices, and the whole costs little
    more than EASE.
    """
    # Here, so that serving a floor does not need what fitting one on texts needs.
    from recdistill.texts import TfidfEncoder

    n, k = catalog.n_items, config.text_weight
    require_memory(n, n_tables=3)
    taken = taken_by_users(sequences, n)
    inverse = torch.from_numpy((taken.T @ taken).toarray())  # [n_items, n_items]
    inverse.diagonal().add_(config.l2 + k)
    torch.linalg.cholesky(inverse, out=inverse)
    torch.cholesky_inverse(inverse, out=inverse)  # P

    texts = [str(text) for text in catalog.items["text"]]
    vectors = torch.from_numpy(TfidfEncoder(texts, config.dim).encode(texts)).double()
    factor, own = _text_regression(vectors, config.text_l2)
    # S = I - (I - V V') diag(1 / d), so P S = P - (P - (P V) V') diag(1 / d)
    reached = inverse @ factor  # P V, [n_items, dim]
    said = torch.addmm(inverse, reached, factor.T, beta=-1.0).div_(own).add_(inverse)  # P S
    wanted = (1 + k * said.diagonal()) / inverse.diagonal()  # m
    weights = said.mul_(k).sub_(inverse.mul_(wanted))
    weights.diagonal().zero_()
    return Floor(
        kind="ease_text",
        config=asdict(config),
        catalog_digest=catalog.digest,
        votes=F.pad(weights, (1, 0, 1, 0)),
        prior=popularity_prior(sequences, n, config.prior),
        n_voters=config.history,
        decay=config.decay,
    )


def _text_regression(vectors: Tensor, l2: float) -> tuple[Tensor, Tensor]:
    """Factor of EASE's inverse over the texts' dimensions.

    ``l2 (Z Z' + l2 I)^-1 = I - V V'`` with ``V = Z (Z'Z + l2 I)^-1/2``, by the Woodbury identity.

    Returns
    -------
    V : float32 tensor, shape [n_items, dim]
    d : float32 tensor, shape [n_items]
        Diagonal of ``I - V V'``.
    """
    gram = vectors.T @ vectors  # [dim, dim]
    gram.diagonal().add_(l2)
    lower = torch.linalg.cholesky(gram)
    factor = torch.linalg.solve_triangular(lower, vectors.T, upper=False).T
    left = (1 - factor.square().sum(1)).clamp(min=1e-9)
    return factor.float().contiguous(), left.float()
