"""A sparse table says what the dense one says, and large catalogs get one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from recdistill.data import Sequences
from recdistill.errors import UserError
from recdistill.floors import FLOOR_KINDS, fit_floor, load_model, save_model
from recdistill.floors import _ease as ease
from recdistill.floors import _votes as votes_module

COUNTED = ("markov", "knn", "counter", "tfidf")


def both(kind, train, catalog):
    """The same floor with a dense and with a sparse table."""
    dense = fit_floor(kind, train, catalog)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(votes_module, "_DENSE_BYTES", 0)
        few_at_a_time = fit_floor(kind, train, catalog)
    return dense, few_at_a_time


@pytest.mark.parametrize("kind", COUNTED)
def test_sparse_and_dense_tables_score_alike(kind, train, catalog, monkeypatch):
    monkeypatch.setattr("recdistill.floors._followers._INTERACTIONS_AT_A_TIME", 7)
    dense, small = both(kind, train, catalog)
    assert isinstance(dense.votes, torch.Tensor)
    assert isinstance(small.votes, sparse.csr_array)
    np.testing.assert_allclose(small.votes.toarray(), dense.votes.numpy(), rtol=1e-5, atol=1e-7)
    histories = Sequences.from_lists([[], [3], [3, 9, 1, 3, 12], train.row(0).tolist()])
    torch.testing.assert_close(small.score(histories), dense.score(histories))
    torch.testing.assert_close(small.score_prefixes(train), dense.score_prefixes(train))


@pytest.mark.parametrize("kind", COUNTED)
def test_a_sparse_floor_survives_its_folder(kind, train, catalog, tmp_path):
    _, model = both(kind, train, catalog)
    save_model(model, tmp_path)
    again = load_model(tmp_path, catalog)
    histories = Sequences.from_lists([[], [3, 9, 1]])
    assert torch.equal(again.score(histories), model.score(histories))


@given(st.lists(st.lists(st.integers(1, 9), max_size=6), min_size=1, max_size=8))
@settings(max_examples=50, deadline=None)
def test_votes_of_a_batch_are_those_of_its_rows(rows):
    table = torch.rand(10, 10, generator=torch.manual_seed(0))
    voters = Sequences.from_lists(rows)
    weights = np.linspace(0.1, 1, len(voters.items), dtype=np.float32)
    together = votes_module.sum_of_votes(sparse.csr_array(table.numpy()), voters, weights)
    torch.testing.assert_close(together, votes_module.sum_of_votes(table, voters, weights))


def test_ease_over_too_many_items_is_refused_before_it_takes_memory(train, catalog, monkeypatch):
    monkeypatch.setattr(ease, "free_host_bytes", lambda: 10)
    with pytest.raises(UserError, match=r"EASE over 12 items .* take knn or counter"):
        fit_floor("ease", train, catalog)


def test_every_kind_but_ease_is_sparse_on_a_large_catalog():
    assert set(COUNTED) | {"popularity", "ease", "ease_text"} == set(FLOOR_KINDS)
    assert votes_module.is_dense(7_999)
    assert not votes_module.is_dense(8_000)
