from dataclasses import replace

import numpy as np
import pytest
import torch

from recdistill.data import Sequences
from recdistill.floors import FLOOR_KINDS, fit_floor
from recdistill.floors import _votes as votes_module


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("kind", FLOOR_KINDS)
def test_all_prefixes_at_once_score_as_each_on_its_own(kind, sparse, train, catalog, monkeypatch):
    if sparse:
        monkeypatch.setattr(votes_module, "_DENSE_BYTES", 0)
    floor = fit_floor(kind, train, catalog)
    _, positions = train.keys()
    prefixes = [row[:p] for row in map(train.row, range(len(train))) for p in range(len(row))]
    assert len(prefixes) == len(positions)
    alone = floor.score(Sequences.from_lists(prefixes))
    torch.testing.assert_close(floor.score_prefixes(train), alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("decay", [0.85, 1.0])
def test_nothing_is_left_of_votes_that_are_too_old(decay, train, catalog):
    floor = replace(fit_floor("knn", train, catalog), n_voters=1, decay=decay)
    rows = np.random.default_rng(0).integers(1, catalog.n_items + 1, (3, 2_000))
    long = Sequences.from_lists(list(rows.astype(np.int32)))
    newest = Sequences.from_lists([row[1_998:1_999] for row in rows])
    last = floor.score_prefixes(long)[long.offsets[1:] - 1]
    torch.testing.assert_close(last, floor.score(newest), rtol=1e-5, atol=1e-9)


def test_rows_without_an_item_have_no_prefix(train, catalog):
    floor = fit_floor("knn", train, catalog)
    some = Sequences.from_lists([[], [3, 9], []])
    assert floor.score_prefixes(some).shape == (2, catalog.n_items + 1)
    assert len(floor.score_prefixes(Sequences.from_lists([[], []]))) == 0
    assert np.isfinite(floor.score_prefixes(some)[:, 1:]).all()
