import pytest
import torch

from recdistill.data import Sequences
from recdistill.floors import FLOOR_KINDS, fit_floor


@pytest.mark.parametrize("kind", FLOOR_KINDS)
def test_all_prefixes_at_once_score_as_each_on_its_own(kind, train, catalog):
    floor = fit_floor(kind, train, catalog)
    for user in range(len(train)):
        row = train.row(user)
        alone = floor.score(Sequences.from_lists([row[:p] for p in range(len(row))]))
        torch.testing.assert_close(floor.score_prefixes(row), alone, rtol=1e-5, atol=1e-6)
