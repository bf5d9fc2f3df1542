"""Several real processes on this machine find each other, and end as they should."""

from __future__ import annotations

import sys

import pytest
import torch

from recdistill.errors import UserError
from recdistill.ranks import Devices, current, together

from . import calls

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="one process ends another by signals"),
]

TWO = Devices(devices=2)


def test_everything_stays_on_this_host_and_the_processes_share_the_processors() -> None:
    facts = together(TWO, calls.facts_of_each)
    assert [row[:2] for row in facts] == [[0, 2], [1, 2]]
    assert all(row[3] == 0 for row in facts), "somebody listens to other hosts"
    assert sum(row[4] for row in facts) > 0


def test_gradients_are_averaged_and_rank_0_decides_the_start() -> None:
    assert together(TWO, calls.differs, torch.ones(2)) == (2.0, [0.5, 0.5])


def test_of_a_table_the_rows_that_any_rank_touched_are_averaged() -> None:
    assert together(TWO, calls.rows_averaged) == ([0, 3, 4], [0.5, 4.0, 3.0])


def test_a_users_mistake_on_another_rank_is_its_sentence() -> None:
    with pytest.raises(UserError, match=r"^Rank 1 of 2 on .*: This share cannot be learnt from\.$"):
        together(TWO, calls.refuse_on, 1)


def test_a_mistake_of_ours_on_another_rank_is_named() -> None:
    with pytest.raises(UserError, match=r"Rank 1 of 2 on .* failed .*ValueError: no such thing"):
        together(TWO, calls.break_on, 1)


def test_rank_0s_own_mistake_ends_the_others() -> None:
    with pytest.raises(UserError, match="This share cannot be learnt from"):
        together(TWO, calls.refuse_on, 0)
    assert current() is None
