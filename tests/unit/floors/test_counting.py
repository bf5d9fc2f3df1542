"""Counting on what came is counting all of it anew, whatever comes, goes and grows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from recdistill.data import Sequences
from recdistill.floors import (
    CounterConfig,
    KNNConfig,
    MarkovConfig,
    PopularityConfig,
    count_on,
    fit_floor,
    load_model,
    save_model,
    window_of,
)
from recdistill.floors import _votes as votes_module

from .conftest import make_catalog

CONFIGS = {
    "popularity": PopularityConfig(),
    "markov": MarkovConfig(),
    "counter": CounterConfig(window=3),
    "knn": KNNConfig(window=4, shrinkage=2.0, damping=0.5),
}
rows = st.lists(st.lists(st.integers(1, 8), max_size=9), min_size=2, max_size=8)


def dense(votes):
    return votes.toarray() if isinstance(votes, sparse.csr_array) else votes.numpy()


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(list(CONFIGS)),
    rows.filter(lambda drawn: sum(map(len, drawn)) > 1),
    rows,
    st.integers(0, 4),
    st.sampled_from([0, 700, 10**9]),
)
def test_adding_counts_is_counting_anew(kind, old, more, n_new_items, dense_bytes):
    """Rows get longer, and new users come: the table may become sparse as the catalog grows."""
    now = [row + extra for row, extra in zip(old, more, strict=False)] + more[len(old) :]
    now += old[len(more) :]
    now[-1] = [min(item + n_new_items, 8 + n_new_items) for item in now[-1]]  # one is rewritten
    before, after = make_catalog(8), make_catalog(8 + n_new_items)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(votes_module, "_DENSE_BYTES", dense_bytes)
        floor = fit_floor(kind, Sequences.from_lists(old), before, CONFIGS[kind])
        anew = fit_floor(kind, Sequences.from_lists(now), after, CONFIGS[kind])
        counted = count_on(floor, Sequences.from_lists(now), Sequences.from_lists(old), after)
    assert counted.catalog_digest == after.digest
    assert type(counted.votes) is type(anew.votes)
    np.testing.assert_allclose(dense(counted.votes), dense(anew.votes), rtol=1e-5, atol=1e-7)
    assert np.array_equal(dense(counted.votes) > 0, dense(anew.votes) > 0)
    torch.testing.assert_close(counted.prior, anew.prior)
    assert torch.equal(counted.totals.taken, anew.totals.taken)


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_year_of_days_counts_as_one_log(kind, catalog, tmp_path):
    """Rounding does not add up, through files too; only a row's end is counted every day."""
    random = np.random.default_rng(1)
    whole = random.integers(1, 13, (5, 365))
    floor = fit_floor(kind, Sequences.from_lists(whole[:, :2]), catalog, CONFIGS[kind])
    window = window_of(floor)
    for day in range(2, 365):
        start = max(day - window, 0)
        came, went = whole[:, start : day + 1], whole[:, start:day]
        pair = (Sequences.from_lists(came), Sequences.from_lists(went))
        floor = count_on(floor, *pair, catalog)
    save_model(floor, tmp_path)
    anew = fit_floor(kind, Sequences.from_lists(whole), catalog, CONFIGS[kind])
    torch.testing.assert_close(load_model(tmp_path, catalog).votes, anew.votes)


def test_a_floor_that_solves_or_that_an_older_version_saved_does_not_count_on(train, catalog):
    assert window_of(fit_floor("ease", train, catalog)) is None
    with pytest.raises(ValueError, match="without totals"):
        count_on(fit_floor("tfidf", train, catalog), train, train, catalog)


@pytest.mark.parametrize("dense_bytes", [0, 10**9])
@pytest.mark.parametrize("kind", list(CONFIGS))
def test_where_nothing_came_and_nothing_went_the_floor_stays(
    kind, dense_bytes, train, catalog, monkeypatch
):
    monkeypatch.setattr(votes_module, "_DENSE_BYTES", dense_bytes)
    floor = fit_floor(kind, train, catalog, CONFIGS[kind])
    nobody = train.take(np.empty(0, np.int64))
    again = count_on(floor, nobody, nobody, catalog)
    np.testing.assert_allclose(dense(again.votes), dense(floor.votes), rtol=1e-5)
    assert torch.equal(again.prior, floor.prior)
