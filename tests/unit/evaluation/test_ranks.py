import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recdistill.data import Sequences
from recdistill.errors import UserError
from recdistill.evaluation._ranks import rank_batch

N_ITEMS = 7


def scores_of(*rows):
    return torch.tensor([[-torch.inf, *row] for row in rows])


@st.composite
def scored_case(draw):
    """A row of coarse scores (so that ties are common), a history and a target."""
    scores = draw(st.lists(st.integers(-3, 3), min_size=N_ITEMS, max_size=N_ITEMS))
    history = draw(st.lists(st.integers(1, N_ITEMS), max_size=5))
    target = draw(st.integers(1, N_ITEMS))
    return [float(s) for s in scores], history, target


def rank_one(scores, history, target):
    return rank_batch(
        scores_of(scores),
        Sequences.from_lists([history]),
        np.array([target], np.int32),
        depth=3,
        model_name="Model",
    )


def counts(ranks):
    return [(int(r.n_above), int(r.n_tied)) for r in ranks]


@given(scored_case())
def test_counts_are_those_of_a_plain_loop(case):
    scores, history, target = case
    masked, unmasked = rank_one(scores, history, target)
    others = [i for i in range(1, N_ITEMS + 1) if i != target]
    level = scores[target - 1]
    assert counts([unmasked]) == [
        (sum(scores[i - 1] > level for i in others), sum(scores[i - 1] == level for i in others))
    ]
    if target in history:
        assert counts([masked]) == [(N_ITEMS, 0)]
    else:
        free = [i for i in others if i not in history]
        assert counts([masked]) == [
            (sum(scores[i - 1] > level for i in free), sum(scores[i - 1] == level for i in free))
        ]


@given(scored_case(), st.permutations(range(1, N_ITEMS + 1)))
def test_renaming_the_items_changes_no_rank(case, renamed):
    scores, history, target = case
    shuffled = [0.0] * N_ITEMS
    for old, new in enumerate(renamed, start=1):
        shuffled[new - 1] = scores[old - 1]
    there = rank_one(shuffled, [renamed[i - 1] for i in history], renamed[target - 1])
    assert counts(there) == counts(rank_one(scores, history, target))


@given(scored_case())
def test_a_rising_transform_of_the_scores_changes_no_rank(case):
    scores, history, target = case
    raised = [np.exp(s) * 3 + 1 for s in scores]
    assert counts(rank_one(raised, history, target)) == counts(rank_one(scores, history, target))


@given(scored_case())
def test_masking_the_history_never_lowers_an_unseen_target(case):
    scores, history, target = case
    history = [i for i in history if i != target]
    masked, unmasked = rank_one(scores, history, target)
    assert masked.n_above <= unmasked.n_above
    assert masked.n_tied <= unmasked.n_tied


def test_top_lists_hold_the_best_items_and_end_in_padding():
    scores = [0.1, 0.9, 0.5, 0.2]
    masked, unmasked = rank_one(scores, [2, 3], 1)
    assert unmasked.top.tolist() == [[2, 3, 4]]
    assert masked.top.tolist() == [[4, 1, 0]]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("column", [0, 3])
def test_a_score_that_is_not_finite_is_refused_naming_the_model(bad, column):
    scores = [0.0] * 4
    scores[column] = bad
    with pytest.raises(UserError, match=r"^Model scored an item NaN or infinite"):
        rank_one(scores, [2], 1)


def test_every_permutation_of_a_batch_gives_every_case_its_own_rank():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 3, (4, N_ITEMS)).astype(np.float32)
    histories = [[1, 2], [], [5, 5, 6], [7]]
    targets = np.array([3, 4, 1, 2], np.int32)
    alone = [counts(rank_one(*case)) for case in zip(scores, histories, targets, strict=True)]
    for order in itertools.permutations(range(4)):
        masked, unmasked = rank_batch(
            scores_of(*scores[list(order)]),
            Sequences.from_lists([histories[i] for i in order]),
            targets[list(order)],
            depth=3,
            model_name="Model",
        )
        for row, i in enumerate(order):
            together = [(int(r.n_above[row]), int(r.n_tied[row])) for r in (masked, unmasked)]
            assert together == alone[i]
