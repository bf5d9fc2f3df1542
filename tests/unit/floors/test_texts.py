"""The floors that read texts, against the plainest computation that says the same."""

import numpy as np
import pandas as pd
import pytest
import torch

from recdistill.data import Catalog, Sequences
from recdistill.errors import UserError
from recdistill.floors import EASEConfig, TextEASEConfig, TfidfConfig, fit_floor
from recdistill.texts import TfidfEncoder, TfidfFeatures

TEXTS = [
    "red nail polish", "rose nail polish", "hair oil", "argan hair oil", "hand cream",
    "rich hand cream", "eye shadow", "pearl eye shadow", "nail file", "hair brush",
    "night cream", "",
]  # fmt: skip


@pytest.fixture
def catalog():
    ids = pd.RangeIndex(1, len(TEXTS) + 1, name="item")
    raw = [f"B{i}" for i in ids]
    return Catalog(pd.DataFrame({"raw_id": raw, "title": TEXTS, "text": TEXTS}, index=ids))


def scored(floor, history):
    return floor.score(Sequences.from_lists([history])).numpy()[0, 1:]


def test_tfidf_votes_by_the_cosine_of_the_texts(train, catalog):
    floor = fit_floor("tfidf", train, catalog, TfidfConfig(neighbours=11, decay=0.5, prior=0.0))
    rows = TfidfFeatures(TEXTS)(TEXTS).toarray()
    cosine = rows @ rows.T
    np.fill_diagonal(cosine, 0)
    np.testing.assert_allclose(
        scored(floor, [3, 5]), cosine[4] + 0.5 * cosine[2], rtol=1e-5, atol=1e-6
    )


def test_tfidf_keeps_the_nearest_neighbours_only(train, catalog):
    floor = fit_floor("tfidf", train, catalog, TfidfConfig(neighbours=2, prior=0.0))
    votes = floor.votes.numpy()
    assert ((votes > 0).sum(1) <= 2).all()
    assert votes[1, 2] == votes[1].max()  # another polish is what a polish is nearest to


def test_an_item_nobody_took_is_found_by_its_text(catalog):
    histories = Sequences.from_lists([[3, 5], [5, 7, 9]])  # nobody took 4, argan hair oil
    floor = fit_floor("tfidf", histories, catalog)
    assert np.argsort(-scored(floor, [3]))[0] == 4 - 1


def test_without_weight_ease_with_texts_is_ease(train, catalog):
    plain = fit_floor("ease", train, catalog, EASEConfig(l2=3.0))
    texts = fit_floor("ease_text", train, catalog, TextEASEConfig(l2=3.0, text_weight=0.0))
    torch.testing.assert_close(texts.votes, plain.votes, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("weight", [0.5, 20.0])
def test_ease_with_texts_solves_its_two_ridge_regressions(train, catalog, weight):
    config = TextEASEConfig(l2=2.0, text_weight=weight, text_l2=0.3, dim=5)
    floor = fit_floor("ease_text", train, catalog, config)
    n = catalog.n_items
    features = TfidfEncoder(TEXTS, 5).encode(TEXTS).T.astype(float)  # [dim, n_items]
    taken = np.zeros((len(train), n))
    for user in range(len(train)):
        taken[user, train.row(user) - 1] = 1
    for item in range(n):
        others = [i for i in range(n) if i != item]
        z, x = features[:, others], taken[:, others]
        said = np.linalg.solve(z.T @ z + 0.3 * np.eye(n - 1), z.T @ features[:, item])
        expected = np.linalg.solve(
            x.T @ x + (2.0 + weight) * np.eye(n - 1), x.T @ taken[:, item] + weight * said
        )
        found = floor.votes.numpy()[1:, item + 1]
        np.testing.assert_allclose(found[others], expected, rtol=1e-3, atol=1e-4)
        assert found[item] == 0


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: TfidfConfig(neighbours=0), "tfidf.neighbours is 0"),
        (lambda: TextEASEConfig(text_weight=-1), "must not be negative"),
        (lambda: TextEASEConfig(text_l2=0), "text_l2 must be positive"),
    ],
)
def test_impossible_settings_are_named(make, said):
    with pytest.raises(UserError, match=said):
        make()
