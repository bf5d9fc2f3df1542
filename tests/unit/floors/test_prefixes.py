import numpy as np
import pytest
import torch

from recdistill.data import Sequences
from recdistill.floors import FLOOR_KINDS, Floor, fit_floor
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
def test_nothing_is_left_of_a_large_vote_that_is_too_old(decay):
    # A pool takes logarithms, so a small rest beside a small vote would be a lot.
    votes = torch.zeros(4, 4)
    votes[1, 3], votes[2, 3] = 0.9, 2e-6
    floor = Floor("counter", {}, "", votes, torch.zeros(4), n_voters=3, decay=decay)
    last = floor.score_prefixes(Sequences.from_lists([[1, 2, 2, 2, 2]]))[-1:]
    alone = floor.score(Sequences.from_lists([[1, 2, 2, 2]]))
    torch.testing.assert_close(last, alone, rtol=1e-5, atol=0)


def test_rows_without_an_item_have_no_prefix(train, catalog):
    floor = fit_floor("knn", train, catalog)
    some = Sequences.from_lists([[], [3, 9], []])
    assert floor.score_prefixes(some).shape == (2, catalog.n_items + 1)
    assert len(floor.score_prefixes(Sequences.from_lists([[], []]))) == 0
    assert np.isfinite(floor.score_prefixes(some)[:, 1:]).all()
