"""A student that is told when its target happens learns what that says; another one cannot."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from recdistill.data import Cases, Sequences
from recdistill.errors import UserError
from recdistill.evaluation import KNOWN_TIME, PROTOCOL, evaluate
from recdistill.students import StudentConfig
from recdistill.training import FitConfig, OptimizerConfig, StudentRecipe, fit_student

if TYPE_CHECKING:
    from recdistill.data import PreparedData
    from recdistill.students import QueryTime
    from recdistill.training import FittedStudent

LOOP = FitConfig(
    max_epochs=10, tokens_per_batch=400, ema_decay=0.0, optimizer=OptimizerConfig(lr=0.02)
)


@pytest.fixture
def clocked(walks: PreparedData) -> PreparedData:
    """Steps of one to three, drawn evenly; the time between two items says which it was."""
    random = np.random.default_rng(3)
    rows, times = [], []
    for _ in walks.users:
        steps = random.integers(1, 4, random.integers(6, 40))
        rows.append(((random.integers(30) + np.cumsum(steps)) % 30 + 1).tolist())
        times.append((10**9 + np.cumsum(100**steps)).tolist())

    def before(back: int) -> Sequences:
        return Sequences.from_lists([r[:-back] for r in rows], [t[:-back] for t in times])

    def cases(back: int) -> Cases:
        targets = np.array([row[-back] for row in rows], np.int32)
        happened = np.array([time[-back] for time in times])
        return Cases(np.arange(len(rows)), before(back), targets, happened)

    return replace(walks, train=before(2), val=cases(2), test=cases(1))


def _fitted(data: PreparedData, query_time: QueryTime) -> FittedStudent:
    student = StudentConfig(
        "hstu", max_length=12, dim=16, dropout=0.0, item_start="random", query_time=query_time
    )
    return fit_student(StudentRecipe(student, loop=LOOP), data, seed=0)


def test_only_the_one_that_is_told_learns_what_the_time_of_the_target_says(
    clocked: PreparedData,
) -> None:
    told, blind = _fitted(clocked, "known"), _fitted(clocked, "last")
    # Three equally likely steps: who does not know which one cannot do better than this.
    chance = math.log(3)
    assert told.result.best["train/loss"] < 0.9 * chance
    assert blind.result.best["train/loss"] > chance
    assert told.result.best["val/ndcg_at_10"] > blind.result.best["val/ndcg_at_10"] + 0.02
    for fitted, protocol in ((told, KNOWN_TIME), (blind, PROTOCOL)):
        found = evaluate(fitted.recommender, clocked.val, clocked.catalog, clocked.train)
        assert found.per_user.attrs["protocol"] == protocol
        ndcg = found.metrics()["ndcg_at_10"]
        assert ndcg == pytest.approx(fitted.result.best["val/ndcg_at_10"])


def test_data_without_times_are_refused_before_anything_is_trained(walks: PreparedData) -> None:
    with pytest.raises(UserError, match="no timestamps"):
        _fitted(walks, "last")
