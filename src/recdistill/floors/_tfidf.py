"""The texts' own floor: items whose texts share rare words with the newest items."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import sparse

from recdistill.floors._floor import Floor
from recdistill.floors._followers import popularity_prior
from recdistill.floors._votes import is_dense

if TYPE_CHECKING:
    from recdistill.data import Catalog, Sequences
    from recdistill.floors._config import TfidfConfig

_ROWS = 256


def fit_tfidf(sequences: Sequences, catalog: Catalog, config: TfidfConfig) -> Floor:
    """Let every item vote for its nearest texts: cosine of words and character n-grams.

    A text model that does not beat it has learned nothing from text beyond shared words. Items
    without interactions get votes as any other.
    """
    # Here, so that serving a floor does not need what fitting one on texts needs.
    from recdistill.texts import TfidfFeatures

    texts = [str(text) for text in catalog.items["text"]]
    rows = TfidfFeatures(texts)(texts)  # [n_items, n_features], unit rows
    n = catalog.n_items
    kept = min(config.neighbours, n - 1)
    given, to, cosines = [], [], []
    for start in range(0, n, _ROWS):
        near = (rows[start : start + _ROWS] @ rows.T).toarray()
        here = np.arange(len(near))
        near[here, start + here] = 0  # nobody votes for itself
        best = np.argpartition(near, -kept, axis=1)[:, -kept:] if kept else here[:, None][:, :0]
        given.append(np.repeat(start + here, kept))
        to.append(best.ravel())
        cosines.append(np.take_along_axis(near, best, 1).ravel())
    shape = (n + 1, n + 1)
    pairs = (np.concatenate(given) + 1, np.concatenate(to) + 1)
    votes = sparse.csr_array((np.concatenate(cosines).astype(np.float32), pairs), shape=shape)
    return Floor(
        kind="tfidf",
        config=asdict(config),
        catalog_digest=catalog.digest,
        votes=torch.from_numpy(votes.toarray()) if is_dense(n) else votes,
        prior=popularity_prior(sequences, n, config.prior),
        n_voters=config.history,
        decay=config.decay,
    )


def with_prior_of(floor: Floor, config: TfidfConfig, sequences: Sequences) -> Floor:
    """Count popularity anew on other sequences; what texts say of each other stays as it is."""
    return replace(floor, prior=popularity_prior(sequences, floor.n_items, config.prior))
