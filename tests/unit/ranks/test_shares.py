from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.ranks import Place, SharedScores, share_of, whole_file


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=30), st.integers(1, 6), st.integers(0, 2**31)
)
def test_the_shares_are_the_batch_and_their_mean_gradient_is_the_batchs(
    counts: list[int], size: int, seed: int
) -> None:
    n_targets = np.sort(np.array(counts))
    rows = np.arange(len(counts))
    random = np.random.default_rng(seed)
    losses = [random.normal(size=n) for n in n_targets]  # of every target of every row
    seen, average = [], 0.0
    for rank in range(size):
        mine, factor = share_of(rows, n_targets, Place(rank, size, rank, size))
        assert len(mine)  # every rank takes every step
        mean = np.concatenate([losses[row] for row in mine]).mean()
        average += factor * mean / size
        seen += list(mine) if factor else []
    assert sorted(seen) == list(rows)
    assert average == pytest.approx(np.concatenate(losses).mean(), abs=1e-9)


def test_rows_of_like_size_are_dealt_out_one_by_one() -> None:
    n_targets = np.arange(1, 101)
    loads = [int(share_of(np.arange(100), n_targets, Place(r, 4, r, 4))[0].sum()) for r in range(4)]
    assert max(loads) / min(loads) < 1.1  # contiguous shares: 325 to 2,200


def test_alone_nothing_is_shared(tmp_path) -> None:
    class Model:
        catalog_digest, kind = "c", "m"

        def score(self, histories: object) -> object:
            return histories

    shared = SharedScores(Model())
    assert (shared.catalog_digest, shared.kind, shared.score("all")) == ("c", "m", "all")
    assert whole_file(None, tmp_path) is None
    assert whole_file(tmp_path / "a", tmp_path) == tmp_path / "a"
