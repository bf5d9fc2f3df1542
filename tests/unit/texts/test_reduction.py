from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recdistill.texts._reduction import fit_reducer

if TYPE_CHECKING:
    import pytest

shapes = st.tuples(st.integers(30, 80), st.integers(2, 8), st.integers(1, 8), st.integers(0, 999))


def rows_of(n: int, dim: int, seed: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return (draw.standard_normal((n, dim)) @ draw.standard_normal((dim, dim)) + 3).astype(
        np.float32
    )


@given(shape=shapes)
def test_whitened_coordinates_are_uncorrelated_and_of_unit_variance(shape) -> None:
    n, dim, kept, seed = shape
    rows = rows_of(n, dim, seed)
    reduced = fit_reducer(rows, np.ones(n, bool), "whiten", kept)(rows)
    assert reduced.shape == (n, min(kept, dim))
    np.testing.assert_allclose(np.cov(reduced.T, bias=True), np.eye(min(kept, dim)), atol=2e-2)
    np.testing.assert_allclose(reduced.mean(0), 0, atol=2e-2)


@given(shape=shapes)
def test_principal_components_keep_as_much_as_a_singular_value_decomposition(shape) -> None:
    n, dim, kept, seed = shape
    rows = rows_of(n, dim, seed)
    reduced = fit_reducer(rows, np.ones(n, bool), "pca", kept)(rows)
    centred = rows - rows.mean(0)
    values = np.linalg.svd(centred, compute_uv=False)[:kept]
    expected = (values**2 / (values**2).sum()) * min(kept, dim)  # of coordinates of mean square 1
    np.testing.assert_allclose((reduced**2).mean(0), expected, rtol=1e-2, atol=1e-4)


def test_blocks_and_rows_left_out_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, used = rows_of(50, 4, 0), np.arange(50) % 7 > 0
    whole = fit_reducer(rows[used], np.ones(int(used.sum()), bool), "pca", 3)
    monkeypatch.setattr("recdistill.texts._reduction._BLOCK", 8)
    spoiled = np.where(used[:, None], rows, np.float32(1e6))
    np.testing.assert_allclose(
        fit_reducer(spoiled, used, "pca", 3)(rows), whole(rows), rtol=1e-4, atol=1e-5
    )


def test_every_dimension_is_kept_when_nothing_is_reduced() -> None:
    rows = rows_of(60, 6, 2)
    reduced = fit_reducer(rows, np.ones(60, bool), "none", 2)(rows)
    centred = rows - rows.mean(0)
    np.testing.assert_allclose(
        reduced @ reduced.T * (centred**2).mean(), centred @ centred.T, rtol=1e-2, atol=1e-2
    )
