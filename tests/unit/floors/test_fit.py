"""Each kind against the plainest loop that says the same."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recdistill.data import Sequences
from recdistill.errors import UserError
from recdistill.evaluation import Recommender
from recdistill.floors import (
    FLOOR_KINDS,
    CounterConfig,
    EASEConfig,
    KNNConfig,
    MarkovConfig,
    fit_floor,
    refit_without,
)


def followers(train, n_items, window, weight):
    counts = np.zeros((n_items + 1, n_items + 1))
    for user in range(len(train)):
        row = train.row(user)
        for i, before in enumerate(row):
            for j in range(i + 1, min(i + 1 + window, len(row))):
                counts[before, row[j]] += weight(j - i)
    return counts


def voted(history, votes, n_voters, decay, prior):
    scores = prior.copy()
    for age, item in enumerate(history[::-1][:n_voters]):
        scores = scores + decay**age * votes[item]
    return scores[1:]


def popularity(train, n_items, weight):
    counts = np.bincount(train.items, minlength=n_items + 1)
    return weight * counts / counts.max()


def scored(floor, history):
    return floor.score(Sequences.from_lists([history])).numpy()[0, 1:]


HISTORY = [3, 9, 1, 3, 12]


def test_popularity_ranks_by_counts_whatever_the_history(train, catalog):
    floor = fit_floor("popularity", train, catalog)
    expected = popularity(train, catalog.n_items, 1.0)[1:]
    for history in ([], HISTORY):
        np.testing.assert_allclose(scored(floor, history), expected, rtol=1e-6)


def test_markov_counts_what_directly_followed_the_newest_item(train, catalog):
    floor = fit_floor("markov", train, catalog, MarkovConfig(prior=0.5))
    counts = followers(train, catalog.n_items, 1, lambda _: 1)
    prior = popularity(train, catalog.n_items, 0.5)
    np.testing.assert_allclose(
        scored(floor, HISTORY), voted(HISTORY, counts, 1, 1.0, prior), rtol=1e-6
    )


def test_counter_votes_by_distance_and_recency(train, catalog):
    floor = fit_floor("counter", train, catalog, CounterConfig(4, 3, 0.7, 0.01))
    votes = followers(train, catalog.n_items, 4, lambda d: 1 / d)
    votes = votes / np.maximum(votes.sum(1, keepdims=True), 1e-9)
    prior = popularity(train, catalog.n_items, 0.01)
    np.testing.assert_allclose(
        scored(floor, HISTORY), voted(HISTORY, votes, 3, 0.7, prior), rtol=1e-5
    )


def test_knn_holds_rare_and_popular_items_back(train, catalog):
    config = KNNConfig(window=4, history=3, decay=0.7, shrinkage=5, damping=0.5, prior=0.01)
    floor = fit_floor("knn", train, catalog, config)
    counts = followers(train, catalog.n_items, 4, lambda _: 1)
    frequency = counts.sum(0) / counts.sum(0).mean()
    votes = counts / (counts.sum(1, keepdims=True) + 5)
    votes[:, 1:] /= frequency[1:] ** 0.5
    prior = popularity(train, catalog.n_items, 0.01)
    np.testing.assert_allclose(
        scored(floor, HISTORY), voted(HISTORY, votes, 3, 0.7, prior), rtol=1e-5
    )


def test_ease_solves_a_ridge_regression_of_every_item_on_the_others(train, catalog):
    floor = fit_floor("ease", train, catalog, EASEConfig(l2=2.0, history=3, decay=0.7, prior=0.01))
    taken = np.zeros((len(train), catalog.n_items + 1))
    for user in range(len(train)):
        taken[user, train.row(user)] = 1
    votes = np.zeros((catalog.n_items + 1, catalog.n_items + 1))
    for item in range(1, catalog.n_items + 1):
        others = [i for i in range(1, catalog.n_items + 1) if i != item]
        x = taken[:, others]
        votes[others, item] = np.linalg.solve(
            x.T @ x + 2.0 * np.eye(len(others)), x.T @ taken[:, item]
        )
    prior = popularity(train, catalog.n_items, 0.01)
    np.testing.assert_allclose(
        scored(floor, HISTORY), voted(HISTORY, votes, 3, 0.7, prior), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("kind", FLOOR_KINDS)
def test_every_floor_keeps_the_contract_of_a_recommender(kind, train, catalog):
    floor = fit_floor(kind, train, catalog)
    assert isinstance(floor, Recommender)
    together = floor.score(train)
    assert together.shape == (len(train), catalog.n_items + 1)
    assert together.dtype == torch.float32
    assert torch.isneginf(together[:, 0]).all()
    assert torch.isfinite(together[:, 1:]).all()
    for user in range(len(train)):
        assert torch.equal(floor.score(train.take(np.array([user])))[0], together[user])
    together.zero_()
    assert not torch.equal(floor.score(train), together)


@pytest.mark.parametrize("kind", FLOOR_KINDS)
def test_a_user_without_history_gets_the_popular_items(kind, train, catalog):
    order = fit_floor(kind, train, catalog).score(Sequences.from_lists([[]]))[0, 1:].argsort()
    counts = torch.bincount(torch.from_numpy(train.items).long())[1:]
    assert (counts[order].diff() >= 0).all()


def test_what_cannot_be_fitted_is_refused_in_one_sentence(train, catalog):
    with pytest.raises(UserError, match="no floor 'als': take one of popularity, markov"):
        fit_floor("als", train, catalog)
    with pytest.raises(UserError, match="'knn' takes a KNNConfig, not a CounterConfig"):
        fit_floor("knn", train, catalog, CounterConfig())
    with pytest.raises(UserError, match="holds no interaction"):
        fit_floor("knn", Sequences.from_lists([[], []]), catalog)


@pytest.mark.parametrize("kind", FLOOR_KINDS)
def test_leaving_users_out_equals_a_fit_without_them(kind, train, catalog):
    whole, users = fit_floor(kind, train, catalog), np.array([1, 5, 7])
    again = fit_floor(kind, train.take(np.setdiff1d(np.arange(len(train)), users)), catalog)
    quick = refit_without(whole, train, users, catalog)
    torch.testing.assert_close(quick.votes, again.votes, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(quick.prior, again.prior)
    if kind == "tfidf":  # nobody's leaving changes a text
        assert quick.votes is whole.votes


def test_an_ease_that_an_older_version_saved_is_fitted_anew(train, catalog):
    whole, users = fit_floor("ease", train, catalog), np.array([1, 5, 7])
    older = replace(whole, inverse_diagonal=None)
    again = fit_floor("ease", train.take(np.setdiff1d(np.arange(len(train)), users)), catalog)
    assert torch.equal(refit_without(older, train, users, catalog).votes, again.votes)


def test_ease_can_be_refitted_after_a_refit(train, catalog):
    one = refit_without(fit_floor("ease", train, catalog), train, np.array([1]), catalog)
    rest = train.take(np.setdiff1d(np.arange(len(train)), [1]))
    two = refit_without(one, rest, np.array([4, 6]), catalog)
    again = fit_floor("ease", rest.take(np.setdiff1d(np.arange(len(rest)), [4, 6])), catalog)
    torch.testing.assert_close(two.votes, again.votes, rtol=1e-4, atol=1e-6)
