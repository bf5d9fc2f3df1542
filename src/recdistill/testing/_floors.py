"""The laws that every floor keeps, and every recommender."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import torch

from recdistill.data import Catalog, Sequences
from recdistill.evaluation import Recommender
from recdistill.floors import Floor, load_model, save_model
from recdistill.lessons import score_every_position

if TYPE_CHECKING:
    from pathlib import Path


def small_catalog(n_items: int = 12) -> Catalog:
    """Return a catalog of made-up items."""
    ids = range(1, n_items + 1)
    columns = {name: [f"{name} {i}" for i in ids] for name in ("raw_id", "title", "text")}
    return Catalog(pd.DataFrame(columns, index=pd.Index(ids, name="item")))


def small_histories(n_items: int = 12) -> Sequences:
    """Return histories of very different lengths, with repeats, one of them empty."""
    random = np.random.default_rng(0)
    lengths = [0, 1, 2, 5, 9, 30, 150, 4]
    return Sequences.from_lists([random.integers(1, n_items + 1, n) for n in lengths])


class RecommenderSuite:
    """Inherit this as ``class TestMine(RecommenderSuite)``: the contract of ``evaluation``.

    For whatever scores a catalog after a history, a member of a pool of teachers included.
    """

    n_items: int = 12

    @abstractmethod
    def recommender(self) -> Recommender:
        """Return a fitted recommender over items ``1..n_items``."""

    @pytest.fixture
    def fitted(self) -> Recommender:
        """Return the recommender under test."""
        return self.recommender()

    @pytest.fixture
    def histories(self) -> Sequences:
        """Return what it is asked."""
        return small_histories(self.n_items)

    def test_it_scores_every_item_and_never_the_padding(
        self, fitted: Recommender, histories: Sequences
    ) -> None:
        assert isinstance(fitted, Recommender)
        scores = fitted.score(histories)
        assert scores.shape == (len(histories), self.n_items + 1)
        assert scores.dtype == torch.float32
        assert torch.isneginf(scores[:, 0]).all()
        assert torch.isfinite(scores[:, 1:]).all()

    def test_a_history_scores_the_same_in_every_batch(
        self, fitted: Recommender, histories: Sequences
    ) -> None:
        together = fitted.score(histories)
        for row in range(len(histories)):
            alone = fitted.score(histories.take(np.array([row])))
            torch.testing.assert_close(alone[0, 1:], together[row, 1:])

    def test_the_scores_belong_to_the_caller(
        self, fitted: Recommender, histories: Sequences
    ) -> None:
        first = fitted.score(histories)
        kept = first.clone()
        first.zero_()
        assert torch.equal(fitted.score(histories), kept)


class FloorSuite(RecommenderSuite):
    """The contract of a recommender, and what labelling and files need of a floor."""

    @abstractmethod
    def floor(self, train: Sequences, catalog: Catalog) -> Floor:
        """Fit the floor under test."""

    def recommender(self) -> Recommender:
        """See ``RecommenderSuite``."""
        return self.floor(small_histories(self.n_items), small_catalog(self.n_items))

    def test_scoring_every_position_is_scoring_every_prefix(
        self, fitted: Floor, histories: Sequences
    ) -> None:
        rows = [r for r in range(len(histories)) if histories.lengths[r] > 1]
        for row in rows:
            items = histories.row(row)
            scores = score_every_position(fitted, Sequences.from_lists([items]))
            prefixes = Sequences.from_lists([items[:n] for n in range(len(items))])
            # The last decimals differ: one is a product of matrices, the other a sum of rows.
            torch.testing.assert_close(
                scores[1:, 1:], fitted.score(prefixes)[1:, 1:], rtol=1e-4, atol=1e-5
            )

    def test_fitted_twice_it_is_the_same(self, fitted: Floor, histories: Sequences) -> None:
        again = self.recommender()
        assert torch.equal(again.score(histories), fitted.score(histories))

    def test_saved_and_loaded_it_is_the_same(
        self, fitted: Floor, histories: Sequences, tmp_path: Path
    ) -> None:
        save_model(fitted, tmp_path / "model")
        loaded = load_model(tmp_path / "model", small_catalog(self.n_items))
        assert torch.equal(loaded.score(histories), fitted.score(histories))
        assert (loaded.kind, loaded.config) == (fitted.kind, dict(fitted.config))

    def test_a_stranger_gets_finite_scores_of_the_prior(self, fitted: Floor) -> None:
        scores = fitted.score(Sequences.from_lists([[]]))
        torch.testing.assert_close(scores[0, 1:], fitted.prior[1:])
