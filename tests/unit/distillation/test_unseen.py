"""Negatives are never met before, and every other item is drawn."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill.data import Sequences
from recdistill.distillation._unseen import UnseenItems

N_ITEMS = 9
ROWS = st.lists(st.lists(st.integers(1, N_ITEMS), min_size=2, max_size=6), min_size=1, max_size=4)


@settings(deadline=None)
@given(ROWS, st.integers(0, 2**16))
def test_no_negative_is_the_target_or_before_it(rows, seed):
    sequences = Sequences.from_lists(rows)
    torch.manual_seed(seed)
    row, position = map(torch.from_numpy, sequences.keys())
    targets = torch.from_numpy(sequences.items).long()
    drawn = UnseenItems(sequences, N_ITEMS).draw(row, position, targets)
    columns = (values.tolist() for values in (row, position, targets, drawn))
    for r, p, target, item in zip(*columns, strict=True):
        assert 1 <= item <= N_ITEMS
        assert item != target
        assert item not in rows[r][:p]


def test_all_that_is_unseen_is_drawn():
    sequences = Sequences.from_lists([[1, 2, 1, 3, 4]])
    at = torch.full((400,), 3)
    drawn = UnseenItems(sequences, 5).draw(torch.zeros_like(at), at, torch.full_like(at, 3))
    assert set(drawn.tolist()) == {4, 5}  # the later 4 is not in the history yet


def test_who_has_met_everything_still_gets_an_item():
    sequences = Sequences.from_lists([[1, 2, 1]])
    at = torch.tensor([2])
    drawn = UnseenItems(sequences, 2).draw(torch.zeros_like(at), at, torch.tensor([1]))
    assert drawn.tolist() in ([1], [2])
