"""A model of yesterday's catalog on today's: it scores what it knows and ranks the rest last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from recdistill.checksums import parse_description
from recdistill.data import Sequences
from recdistill.errors import UserError
from recdistill.saved_models import load_recommender

if TYPE_CHECKING:
    from pathlib import Path

    from recdistill.data import Catalog
    from recdistill.evaluation import Recommender


class Frozen:
    """A recommender as it was, on a catalog that has grown since.

    New items score below every known one, and are passed over in histories.

    Parameters
    ----------
    inner : Recommender
    n_known : int
        Items that it was made for.
    catalog : Catalog
        That grew from the one it was made for.
    """

    def __init__(self, inner: Recommender, n_known: int, catalog: Catalog) -> None:
        if not catalog.grew_from(inner.catalog_digest, n_known):
            raise UserError(
                f"The model is of catalog {inner.catalog_digest[:12]} with {n_known} items, and "
                f"catalog {catalog.digest[:12]} did not grow from it."
            )
        self.inner, self.n_known, self.n_items = inner, n_known, catalog.n_items
        self.catalog_digest = catalog.digest

    def score(self, histories: Sequences) -> torch.Tensor:
        """See ``Recommender``."""
        known = self.inner.score(_known(histories, self.n_known))  # [n_rows, n_known + 1]
        below = known[:, 1:].amin(1, keepdim=True) - 1
        new = below.expand(-1, self.n_items - self.n_known)
        return torch.cat([known, new], dim=1)


def catalog_of(folder: Path, catalog: Catalog) -> Catalog | None:
    """Return the catalog that a saved model is of, where ``catalog`` is it or grew from it."""
    described = parse_description(folder / "config.json", "model")
    digest, n_known = str(described.get("catalog_digest")), described.get("n_items")
    if digest == catalog.digest:
        return catalog
    if not isinstance(n_known, int) or not catalog.grew_from(digest, n_known):
        return None
    return catalog.first(n_known)


def load_frozen(folder: Path, catalog: Catalog) -> Recommender:
    """Read a saved model of this catalog, or of one that it grew from.

    Raises
    ------
    UserError
        When the folder holds no model, or one of a catalog that is no ancestor.
    """
    known = catalog_of(folder, catalog)
    if known is None or known.digest == catalog.digest:
        return load_recommender(folder, catalog)
    return Frozen(load_recommender(folder, known), known.n_items, catalog)


def _known(histories: Sequences, n_known: int) -> Sequences:
    keep = histories.items <= n_known
    if keep.all():
        return histories
    counts = np.concatenate([[0], np.cumsum(keep)])
    return Sequences(histories.items[keep], counts[histories.offsets])
