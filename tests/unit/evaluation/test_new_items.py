"""What a shift of the new items' scores does to ranks, against ranking anew."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from recdistill.data import Cases, Catalog, Sequences
from recdistill.errors import UserError
from recdistill.evaluation import Shifted, calibrate_new_items, evaluate
from recdistill.floors import fit_floor

N_ITEMS = 40
NEW = np.zeros(N_ITEMS + 1, bool)
NEW[31:] = True


@pytest.fixture
def catalog() -> Catalog:
    ids = pd.RangeIndex(1, N_ITEMS + 1, name="item")
    kinds = [f"kind {i % 5} colour {i % 7}" for i in ids]
    return Catalog(
        pd.DataFrame({"raw_id": map(str, ids), "title": kinds, "text": kinds}, index=ids)
    )


@pytest.fixture
def cases() -> Cases:
    """Sixty users who stay within a kind; every third target is a new item."""
    draw = np.random.default_rng(0)
    histories, targets = [], []
    for user in range(60):
        mine = [i for i in range(1, 31) if i % 5 == user % 5]
        histories.append(draw.permutation(mine)[:4])
        pool = range(31, N_ITEMS + 1) if user % 3 == 0 else range(1, 31)
        left = [i for i in pool if i % 5 == user % 5 and i not in histories[-1]]
        targets.append(draw.choice(left))
    return Cases(np.arange(60), Sequences.from_lists(histories), np.array(targets, np.int32))


def ndcg(model, cases: Cases, catalog: Catalog, rows: np.ndarray) -> float:
    part = Cases(np.arange(len(rows)), cases.history.take(rows), cases.targets[rows])
    return float(evaluate(model, part, catalog, cases.history).outcome("ndcg", 10).mean())


class Jittered:
    """A real floor whose equal scores are told apart, so that no rank is a matter of ties."""

    def __init__(self, inner) -> None:
        self.inner, self.catalog_digest = inner, inner.catalog_digest
        self.jitter = torch.rand(N_ITEMS + 1, generator=torch.Generator().manual_seed(0)) * 0.01

    def score(self, histories: Sequences) -> torch.Tensor:
        return self.inner.score(histories) + self.jitter


@pytest.fixture
def model(cases: Cases, catalog: Catalog) -> Jittered:
    return Jittered(fit_floor("tfidf", cases.history, catalog))


def test_every_shift_ranks_as_the_shifted_model_does(model, cases, catalog) -> None:
    found = calibrate_new_items(model, cases, NEW)
    new = NEW[cases.targets]
    for point in found.curve[::16]:
        shifted = Shifted(model, NEW, point.shift)
        assert point.known == pytest.approx(ndcg(shifted, cases, catalog, np.flatnonzero(~new)))
        assert point.new == pytest.approx(ndcg(shifted, cases, catalog, np.flatnonzero(new)))


def test_more_for_new_items_is_less_for_known_ones(model, cases) -> None:
    found = calibrate_new_items(model, cases, NEW)
    known, new = ([getattr(p, name) for p in found.curve] for name in ("known", "new"))
    assert (np.diff(known) <= 1e-12).all()
    assert (np.diff(new) >= -1e-12).all()
    assert known[0] == pytest.approx(found.known_alone)  # none of them comes up
    assert new[-1] == pytest.approx(found.new_alone)  # nothing but them comes up
    assert known[-1] < known[0]


def test_the_chosen_shift_is_the_best_of_the_gentle_ones(model, cases) -> None:
    for tolerance in (0.0, 0.1, 1.0):
        found = calibrate_new_items(model, cases, NEW, tolerance=tolerance)
        least = (1 - tolerance) * found.known_alone
        assert found.chosen.known >= least
        assert found.chosen.new == max(p.new for p in found.curve if p.known >= least)


def test_validation_without_new_targets_is_refused(model, cases) -> None:
    known = np.flatnonzero(~NEW[cases.targets])
    part = Cases(known, cases.history.take(known), cases.targets[known])
    with pytest.raises(UserError, match="No validation target is a new item"):
        calibrate_new_items(model, part, NEW)
