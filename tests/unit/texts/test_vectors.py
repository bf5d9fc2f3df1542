from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.errors import UserError
from recdistill.texts import ItemVectors
from tests.unit.texts.conftest import made

if TYPE_CHECKING:
    from pathlib import Path

    from recdistill.data import Catalog


def vectors(catalog: Catalog, dim: int = 5) -> ItemVectors:
    values = np.random.default_rng(1).standard_normal((catalog.n_items + 1, dim))
    values[[0, 8]] = 0
    return ItemVectors(values.astype(np.float32), catalog.digest, {"encoder": "drawn"})


def test_vectors_come_back_as_they_were(catalog: Catalog, tmp_path: Path) -> None:
    kept = vectors(catalog)
    kept.save(tmp_path / "v")
    read = ItemVectors.load(tmp_path / "v", catalog)
    np.testing.assert_array_equal(read.values, kept.values)
    assert (read.about, read.dim, read.digest()) == (kept.about, 5, kept.digest())


def test_another_catalog_is_refused(catalog: Catalog, tmp_path: Path) -> None:
    vectors(catalog).save(tmp_path / "v")
    with pytest.raises(UserError, match="was made for catalog"):
        ItemVectors.load(tmp_path / "v", made(["other"] * catalog.n_items))


def test_a_folder_without_vectors_is_named(catalog: Catalog, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no item vectors that can be read"):
        ItemVectors.load(tmp_path, catalog)


@given(seed=st.integers(0, 10_000))
def test_a_permutation_deals_the_same_vectors_to_the_same_items(seed: int) -> None:
    before = vectors(made([f"item {i}" for i in range(30)]))
    after = before.permuted(seed)
    unknown = np.abs(before.values).max(1) == 0
    assert not after.values[unknown].any()
    np.testing.assert_array_equal(
        np.sort(after.values[~unknown], axis=0), np.sort(before.values[~unknown], axis=0)
    )
    assert after.digest() != before.digest()
