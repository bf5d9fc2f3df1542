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


def test_everything_stays_on_this_host_and_the_processes_work_as_one() -> None:
    found = together(TWO, calls.all_of_each, torch.ones(2))
    assert [row[:2] for row in found.facts] == [[0, 2], [1, 2]]
    assert all(row[3] == 0 for row in found.facts), "somebody listens to other hosts"
    assert sum(row[4] for row in found.facts) > 0
    assert found.of_rank_0 == 2.0, "rank 0 decides the start"
    assert found.dense_means == [0.5, 0.5]
    assert found.touched_rows == {0: 0.5, 3: 4.0, 4: 3.0}


def test_a_users_mistake_on_another_rank_is_its_sentence() -> None:
    with pytest.raises(UserError, match=r"^Rank 1 of 2 on .*: This share cannot be learnt from\.$"):
        together(TWO, calls.refuse_on, 1)


def test_rank_0s_own_mistake_ends_the_others() -> None:
    with pytest.raises(UserError, match="This share cannot be learnt from"):
        together(TWO, calls.refuse_on, 0)
    assert current() is None
