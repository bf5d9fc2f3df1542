"""The laws of students that are told the time, beside those of every student."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recdistill.errors import UserError
from recdistill.students import score_histories
from recdistill.testing._histories import histories, states
from recdistill.testing._students import StudentSuite

if TYPE_CHECKING:
    from recdistill.data import Sequences
    from recdistill.students import SequentialModel

_history = st.lists(st.integers(1, 10**6), min_size=2, max_size=12)
_seconds = st.integers(0, 10**8)
_lawful = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.differing_executors],
)


class TimedStudentSuite(StudentSuite):
    """As ``StudentSuite``, for a student whose ``query_time`` is "last" or "known"."""

    @_lawful
    @given(history=_history, seconds=_seconds)
    def test_only_differences_of_times_count(
        self, model: SequentialModel, history: list[int], seconds: int
    ) -> None:
        row = histories(model, [history])
        later = _moved(row, np.full(len(row.items), seconds), seconds)
        torch.testing.assert_close(states(model, later), states(model, row))

    @_lawful
    @given(history=_history, at=st.floats(0, 1), seconds=st.integers(1, 10**8))
    def test_what_happens_later_changes_no_earlier_state(
        self, model: SequentialModel, history: list[int], at: float, seconds: int
    ) -> None:
        row = histories(model, [history])
        first = 1 + int(at * (len(row.items) - 2))
        late = np.where(np.arange(len(row.items)) >= first, seconds, 0)
        # Told when the target happens, the state before the first late item knows of it.
        n_same = first - 1 if model.query_time == "known" else first
        before, after = states(model, row), states(model, _moved(row, late, seconds))
        torch.testing.assert_close(after[:, :n_same], before[:, :n_same])

    @_lawful
    @given(history=_history)
    def test_a_state_knows_how_long_ago_its_items_are(
        self, model: SequentialModel, history: list[int]
    ) -> None:
        row = histories(model, [history])
        late = np.where(np.arange(len(row.items)) == len(row.items) - 1, 10**8, 0)
        before, after = states(model, row)[0, -1], states(model, _moved(row, late, 10**8))[0, -1]
        assert not torch.allclose(before, after, atol=1e-6)

    @_lawful
    @given(history=_history)
    def test_it_is_told_the_time_of_the_target_only_where_it_says_so(
        self, model: SequentialModel, history: list[int]
    ) -> None:
        row = histories(model, [history])
        assert row.times is not None
        soon, late = (score_histories(model, row.asked(row.times[-1:] + s)) for s in (1, 10**8))
        told = not torch.allclose(soon[:, 1:], late[:, 1:], atol=1e-6)
        assert told == (model.query_time == "known")

    def test_without_times_it_is_refused_in_a_sentence(self, model: SequentialModel) -> None:
        row = histories(model, [[1, 2, 3]])
        with pytest.raises(UserError, match=f"query_time={model.query_time}"):
            score_histories(model, replace(row, times=None))
        with pytest.raises(UserError, match=f"query_time={model.query_time}"):
            model.encode(torch.tensor([[1, 2, 3]]))


def _moved(row: Sequences, seconds: np.ndarray, asked: int) -> Sequences:
    """Let the items of one history happen later, each by its seconds, and its target by some."""
    assert row.times is not None
    asked_at = None if row.asked_at is None else row.asked_at + asked
    return replace(row, times=row.times + seconds, asked_at=asked_at)
