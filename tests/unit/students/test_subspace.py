"""A few passes of subspace iteration find what a full decomposition finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from recdistill.data import Sequences
from recdistill.students import _cooccurrence
from recdistill.students._cooccurrence import cooccurrence_vectors
from recdistill.students._subspace import largest_eigenvectors

if TYPE_CHECKING:
    import pytest


def _symmetric(n: int, rank: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(random.standard_normal((n, rank)))
    values = np.linspace(1, 4, rank) * random.choice([-1, 1], rank)
    return (basis * values) @ basis.T


@settings(max_examples=20, deadline=None)
@given(st.integers(8, 60), st.integers(1, 8), st.integers(0, 99))
def test_a_matrix_of_low_rank_comes_back(n: int, rank: int, seed: int):
    matrix = _symmetric(n, rank, seed)
    vectors, moduli = largest_eigenvectors(sparse.csr_matrix(matrix), rank)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(rank), atol=1e-4)
    np.testing.assert_allclose(moduli, np.linspace(1, 4, rank), rtol=1e-4)
    np.testing.assert_allclose(vectors @ (vectors.T @ matrix), matrix, atol=1e-3)


def test_without_a_gap_in_the_spectrum_it_holds_nine_tenths_of_the_best_subspace():
    random = np.random.default_rng(0)
    drawn = random.random((300, 300))
    matrix = np.where(drawn + drawn.T > 1.7, drawn + drawn.T, 0)
    _, moduli = largest_eigenvectors(sparse.csr_matrix(matrix), 16)
    best = np.sort(np.abs(np.linalg.eigvalsh(matrix)))[-16:]
    assert np.square(moduli).sum() > 0.9 * np.square(best).sum()


def test_beyond_the_limit_neighbours_are_those_of_the_exact_vectors(
    monkeypatch: pytest.MonkeyPatch,
):
    random = np.random.default_rng(0)
    worlds = Sequences.from_lists(random.integers(1, 11, 30) + 10 * (i % 3) for i in range(90))
    exact = cooccurrence_vectors(worlds, 31, 3)
    monkeypatch.setattr(_cooccurrence, "_LANCZOS_UP_TO", 0)
    quick = cooccurrence_vectors(worlds, 31, 3)
    torch.testing.assert_close(quick @ quick.T, exact @ exact.T, atol=1e-6, rtol=0.01)
    assert torch.equal(quick, cooccurrence_vectors(worlds, 31, 3)), "it is repeatable"
    assert not quick[31].any()
