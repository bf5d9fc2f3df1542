"""A packaged student asked in the words of a catalog that may not be its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from recdistill.data import Sequences
from recdistill.students import score_histories

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recdistill.data import Catalog
    from recdistill.serving._top_k import TopK


class InCatalog:
    """A ``Recommender`` over ``catalog`` by a student of the same or another one.

    Items are the same where their raw ids are. A history is read without the items that the student
    does not know, and those it scores below all others: whoever wants one gets a miss.

    Parameters
    ----------
    top_k : TopK
    catalog : Catalog
    """

    def __init__(self, top_k: TopK, catalog: Catalog) -> None:
        self.top_k, self.catalog_digest = top_k, catalog.digest
        own = {raw: item for item, raw in enumerate(top_k.names.raw_ids) if item}
        asked = catalog.items["raw_id"]
        # Entry i is the student's own id of the catalog's item i; 0 where it has none.
        self.own_ids: NDArray[np.int64] = np.array([0, *(own.get(raw, 0) for raw in asked)])

    @property
    def n_unknown(self) -> int:
        """Items of the catalog that the student does not know."""
        return int((self.own_ids[1:] == 0).sum())

    def translated(self, histories: Sequences) -> Sequences:
        """Return the histories in the student's own ids, unknown items left out."""
        items = self.own_ids[histories.items]
        rows = np.repeat(np.arange(len(histories)), histories.lengths)
        lengths = np.bincount(rows[items > 0], minlength=len(histories))
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return Sequences(items[items > 0].astype(np.int32), offsets)

    def score(self, histories: Sequences) -> torch.Tensor:
        """See ``Recommender``."""
        own = score_histories(self.top_k.model, self.translated(histories))  # [n, n_own + 1]
        if self.top_k.shifts is not None:
            own = own + self.top_k.shifts
        least = own[:, 1:].amin(1, keepdim=True) - 1
        ids = torch.from_numpy(self.own_ids)
        scores = torch.where(ids > 0, own[:, ids], least)  # [n, n_items + 1]
        scores[:, 0] = -torch.inf
        return scores
