"""Scores of one batch take bounded memory, whatever the catalog's size."""

from __future__ import annotations

import numpy as np
import torch

from recdistill.data import Cases, Sequences
from recdistill.evaluation import _evaluate as module
from recdistill.evaluation import evaluate
from tests.unit.floors.conftest import make_catalog


class Asked:
    """Scores by item number, and remembers how many rows it was asked for at once."""

    def __init__(self, catalog_digest: str, n_items: int) -> None:
        self.catalog_digest, self.n_items, self.rows = catalog_digest, n_items, []

    def score(self, histories: Sequences) -> torch.Tensor:
        self.rows.append(len(histories))
        return torch.arange(self.n_items + 1.0).repeat(len(histories), 1)


def test_fewer_cases_at_once_on_a_large_catalog_and_the_same_ranks(monkeypatch):
    catalog, n = make_catalog(50), 40
    cases = Cases(
        np.arange(n), Sequences.from_lists([[1 + i % 9, 3] for i in range(n)]),
        np.arange(10, 10 + n, dtype=np.int32),
    )  # fmt: skip
    whole, small = Asked(catalog.digest, 50), Asked(catalog.digest, 50)
    expected = evaluate(whole, cases, catalog, cases.history)
    monkeypatch.setattr(module, "_SCORE_BYTES", 7 * 4 * 51)
    found = evaluate(small, cases, catalog, cases.history)
    assert whole.rows == [n]
    assert max(small.rows) == 7
    assert found.per_user.equals(expected.per_user)
