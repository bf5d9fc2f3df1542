"""A pool's weights make the validation targets likely, and its scores are logits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from recdistill.errors import UserError
from recdistill.floors import fit_floor
from recdistill.lessons import (
    Pool,
    collect_lessons,
    comparable,
    comparable_positions,
    out_of_fold_scores,
    score_every_position,
    score_positions,
    standardised,
    weigh,
)
from recdistill.students import StudentConfig, StudentRecommender, build_student
from tests.unit.lessons.cross_fitted import cross_fitted_scores

if TYPE_CHECKING:
    from recdistill.data import PreparedData
    from recdistill.evaluation import PositionScores, Recommender


def floors_of(data: PreparedData, *kinds: str) -> list[Recommender]:
    return [fit_floor(kind, data.train, data.catalog) for kind in kinds]


def loss_of(model: Recommender, data: PreparedData, scale: float = 1.0) -> float:
    """Mean negative log-likelihood of the validation targets that the history does not hide."""
    cases = data.val
    scores = scale * model.score(cases.history)
    rows, _ = cases.history.keys()
    scores[torch.from_numpy(rows), torch.from_numpy(cases.history.items).long()] = -torch.inf
    wanted = scores.gather(1, torch.from_numpy(cases.targets).long()[:, None])[:, 0]
    shown = wanted.isfinite()
    return float((scores.logsumexp(1) - wanted)[shown].mean())


def test_a_pool_is_calibrated_and_no_worse_than_its_members(walks: PreparedData) -> None:
    members = floors_of(walks, "counter", "markov")
    pool = weigh(members, walks)
    together = loss_of(pool, walks)
    assert together <= min(loss_of(weigh([m], walks), walks) for m in members) + 1e-4
    assert together < min(loss_of(pool, walks, 0.5), loss_of(pool, walks, 2.0))


def test_teachers_that_know_nothing_are_refused_in_their_own_words(walks: PreparedData) -> None:
    # Users walk through the whole catalog, so how popular an item is says nothing.
    with pytest.raises(UserError, match="none of these teachers is better than guessing"):
        weigh(floors_of(walks, "popularity"), walks)


def test_given_weights_are_taken_as_they_are(walks: PreparedData) -> None:
    members = floors_of(walks, "counter", "knn")
    pool = weigh(members, walks, [0.5, 2.0])
    history = walks.val.history
    parts = [comparable(m, m.score(history)) for m in members]
    torch.testing.assert_close(pool.score(history), 0.5 * parts[0] + 2.0 * parts[1])


@pytest.mark.parametrize("weights", [[1.0], [0.0, 0.0]])
def test_a_pool_without_a_vote_is_refused(walks: PreparedData, weights: list[float]) -> None:
    with pytest.raises(UserError, match="one weight per member"):
        Pool(floors_of(walks, "counter", "knn"), weights, walks.catalog.digest)


def test_standardised_scores_do_not_follow_the_larger_numbers(walks: PreparedData) -> None:
    scores = floors_of(walks, "counter")[0].score(walks.val.history)
    rows = standardised(scores)[:, 1:]
    assert torch.allclose(rows.mean(1), torch.zeros(len(rows)), atol=1e-5)
    louder = scores.clone()
    louder[:, 1:] = 1000 * louder[:, 1:] + 5
    assert torch.allclose(standardised(louder)[:, 1:], rows, atol=1e-3)


def flat(parts: list[PositionScores], data: PreparedData) -> torch.Tensor:
    """Scores by row of the training sequences; NaN where there are none."""
    out = torch.full((len(data.train.items), data.catalog.n_items + 1), torch.nan)
    for part in parts:
        at = torch.from_numpy(data.train.offsets[part.users] + part.positions)
        assert out[at].isnan().all(), "a position came twice"
        out[at] = part.scores
    return out


def test_every_kind_of_model_scores_every_position_but_the_first_once(
    walks: PreparedData,
) -> None:
    config = StudentConfig("gru4rec", dim=8, n_blocks=1, max_length=40, dropout=0.0)
    network = build_student(config, walks.catalog.n_items, seed=1).eval()
    student = StudentRecommender(network, config, walks.catalog.digest, walks.split_digest)
    floor = floors_of(walks, "ease")[0]
    pool = Pool([floor, student], [1.0, 0.5], walks.catalog.digest)
    _, position = walks.train.keys()
    for model in (floor, student, pool):
        found = flat(list(score_positions(model, walks.train, walks.catalog.n_items)), walks)
        assert torch.equal(found.isnan().any(1), torch.from_numpy(position == 0))
        # No history is longer than the student reads, so windows say what prefixes say.
        for user in (0, 7):
            row = walks.train.row(user)
            prefixes = walks.train.take(np.full(len(row) - 1, user))
            asked = model.score(prefixes.from_lists([row[:n] for n in range(1, len(row))]))
            start = walks.train.offsets[user]
            torch.testing.assert_close(
                found[start + 1 : start + len(row)], asked, atol=1e-4, rtol=1e-4
            )


def test_a_model_of_another_kind_is_asked_prefix_by_prefix(walks: PreparedData) -> None:
    floor = floors_of(walks, "ease")[0]

    class Foreign:
        catalog_digest = floor.catalog_digest

        def score(self, histories):
            return floor.score(histories)

    few = walks.train.take(np.arange(3))
    torch.testing.assert_close(
        score_every_position(Foreign(), few), score_every_position(floor, few)
    )


def test_refits_of_floors_say_what_cross_fitting_says(walks: PreparedData) -> None:
    fits: list[int] = []

    def refit(others: PreparedData, fold: int) -> Recommender:
        fits.append(fold)
        return fit_floor("markov", others.train, others.catalog)

    parts = out_of_fold_scores(refit, walks, n_folds=3, seed=1)
    found = flat(list(parts), walks)
    assert fits == [0, 1, 2]
    wanted = flat(
        list(cross_fitted_scores("markov", None, walks.train, walks.catalog, n_folds=3, seed=1)),
        walks,
    )
    asked = ~found.isnan().any(1)
    assert torch.equal(found[asked], wanted[asked])


def test_terms_of_a_pool_are_lessons_like_the_pools_own(walks: PreparedData) -> None:
    floor = floors_of(walks, "counter")[0]
    parts = list(score_positions(floor, walks.train, walks.catalog.n_items))
    terms = comparable_positions(floor, [replace(p, scores=p.scores.clone()) for p in parts])
    alone = Pool([floor], [1.0], walks.catalog.digest)
    pooled = score_positions(alone, walks.train, walks.catalog.n_items)
    one, other = (collect_lessons(p, walks.train, k=4) for p in (terms, pooled))
    torch.testing.assert_close(one.logits, other.logits)
