"""Who is told when a target happens, and that nobody is compared across it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from recdistill.errors import UserError
from recdistill.evaluation import (
    KNOWN_TIME,
    PROTOCOL,
    calibrate_new_items,
    cases_digest,
    compare_paired,
    evaluate,
)
from recdistill.evaluation._new_items import Shifted
from recdistill.ranks import SharedScores

if TYPE_CHECKING:
    import torch

    from recdistill.data import Sequences


@dataclass
class Listening:
    """Scores like another model, and keeps what it was told."""

    inner: object
    query_time: str
    told: list[Sequences] = field(default_factory=list)

    @property
    def catalog_digest(self) -> str:
        return self.inner.catalog_digest

    def score(self, histories: Sequences) -> torch.Tensor:
        self.told.append(histories)
        return self.inner.score(histories)


@pytest.fixture
def timed(cases):
    history = replace(cases.history, times=np.arange(len(cases.history.items), dtype=np.int64))
    return replace(cases, history=history, target_times=10_000 + np.arange(len(cases.targets)))


@pytest.mark.parametrize("query_time", ["none", "last"])
def test_the_time_of_a_target_stays_with_the_evaluation(scorer, timed, catalog, train, query_time):
    model = Listening(scorer, query_time)
    found = evaluate(model, timed, catalog, train, batch_size=16)
    assert all(histories.asked_at is None for histories in model.told)
    assert found.per_user.attrs["protocol"] == PROTOCOL


@pytest.mark.parametrize(
    "wrapped", [lambda m, n: m, lambda m, n: SharedScores(m), lambda m, n: Shifted(m, n, 0.0)]
)
def test_a_model_told_of_its_targets_is_of_another_protocol_however_wrapped(
    scorer, timed, catalog, train, wrapped
):
    model = Listening(scorer, "known")
    found = evaluate(wrapped(model, np.zeros(catalog.n_items + 1, bool)), timed, catalog, train)
    assert found.per_user.attrs["protocol"] == KNOWN_TIME
    (histories,) = model.told
    order = np.argsort(timed.history.lengths, kind="stable")
    assert histories.asked_at.tolist() == timed.target_times[order].tolist()
    assert cases_digest(timed) == cases_digest(replace(timed, target_times=None))


def test_ranks_under_shifts_are_told_of_their_targets_too(scorer, timed, catalog):
    model = Listening(scorer, "known")
    new = np.zeros(catalog.n_items + 1, bool)
    new[timed.targets[:20]] = True
    calibrate_new_items(model, timed, new)
    assert all(histories.asked_at is not None for histories in model.told)


def test_known_without_target_times_is_refused_in_a_sentence(scorer, cases, catalog, train):
    with pytest.raises(UserError, match="do not say when their targets happen"):
        evaluate(Listening(scorer, "known"), cases, catalog, train)


def test_no_comparison_crosses_what_is_known_of_the_target(scorer, timed, catalog, train):
    tables = {
        query_time: evaluate(Listening(scorer, query_time), timed, catalog, train).per_user
        for query_time in ("none", "last", "known")
    }
    assert compare_paired([tables["last"]], [tables["none"]]).delta == 0
    for other in ("none", "last"):
        with pytest.raises(UserError, match="one was told when each target happens"):
            compare_paired([tables["known"]], [tables[other]])
