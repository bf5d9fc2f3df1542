import numpy as np
import pytest
import torch

from recdistill.data import Sequences
from recdistill.errors import UserError
from recdistill.floors import FLOOR_KINDS, cross_fitted_scores, fit_floor, user_folds


@pytest.mark.parametrize("kind", FLOOR_KINDS)
def test_all_prefixes_at_once_score_as_each_on_its_own(kind, train, catalog):
    floor = fit_floor(kind, train, catalog)
    for user in range(len(train)):
        row = train.row(user)
        alone = floor.score(Sequences.from_lists([row[:p] for p in range(len(row))]))
        torch.testing.assert_close(floor.score_prefixes(row), alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", FLOOR_KINDS)
def test_every_position_is_scored_by_a_model_fitted_without_its_user(kind, train, catalog):
    folds = user_folds(len(train), 3, seed=1)
    floors = [
        fit_floor(kind, train.take(np.flatnonzero(folds != fold)), catalog) for fold in range(3)
    ]
    seen = []
    for batch in cross_fitted_scores(
        kind, None, train, catalog, n_folds=3, seed=1, batch_positions=20
    ):
        for user, position, scores in zip(batch.users, batch.positions, batch.scores, strict=True):
            prefix = Sequences.from_lists([train.row(user)[:position]])
            plain = floors[folds[user]].score(prefix)[0]
            torch.testing.assert_close(scores, plain, rtol=1e-5, atol=1e-6)
            seen.append((int(user), int(position)))
    every = [(u, p) for u in range(len(train)) for p in range(train.lengths[u])]
    assert sorted(seen) == every


def test_batches_hold_whole_users_and_stay_near_their_size(train, catalog):
    sizes = [
        (len(set(b.users)), len(b.users))
        for b in cross_fitted_scores("markov", None, train, catalog, batch_positions=20)
    ]
    assert all(n_users == 1 or n_positions <= 40 for n_users, n_positions in sizes)


def test_folds_are_even_and_follow_the_seed():
    folds = user_folds(103, 5, seed=0)
    assert sorted(np.bincount(folds)) == [20, 20, 21, 21, 21]
    assert (folds == user_folds(103, 5, seed=0)).all()
    assert (folds != user_folds(103, 5, seed=1)).any()


@pytest.mark.parametrize("n_folds", [0, 1, 9])
def test_too_few_and_too_many_folds_are_refused(n_folds):
    with pytest.raises(UserError, match=f"between 2 and 8 folds, not {n_folds}"):
        user_folds(8, n_folds, seed=0)
