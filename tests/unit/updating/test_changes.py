"""What a grown log changes in its users' rows, and floors that are counted on by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill.data import Sequences
from recdistill.floors import FLOOR_KINDS, fit_floor
from recdistill.updating import changes, count_on

from .conftest import Log, prepared

if TYPE_CHECKING:
    from .conftest import Times

rows = st.dictionaries(
    st.sampled_from("abcdef"), st.lists(st.integers(1, 5), max_size=8), min_size=1
)


@settings(max_examples=80, deadline=None)
@given(rows, rows, st.integers(0, 3))
def test_ends_hold_every_difference_and_at_most_the_overlap_before_it(
    was: dict[str, list[int]], now: dict[str, list[int]], overlap: int
) -> None:
    found = changes(Log(was), Log(now), overlap)  # type: ignore[arg-type]
    differ = [u for u in was | now if was.get(u, []) != now.get(u, [])]
    assert len(found.came) == len(found.went) == len(differ)
    ends = {
        (tuple(found.went.row(i).tolist()), tuple(found.came.row(i).tolist()))
        for i in range(len(differ))
    }
    for user in differ:
        one, other = was.get(user, []), now.get(user, [])
        same = next(
            (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
            min(len(one), len(other)),
        )
        start = max(same - overlap, 0)
        assert (tuple(one[start:]), tuple(other[start:])) in ends


@pytest.mark.parametrize("kind", [kind for kind in FLOOR_KINDS if kind != "ease_text"])
def test_a_floor_goes_on_with_a_week_and_a_late_row(kind: str, times: Times) -> None:
    late = f"u1,i05,{3 * 86_400 + 7}"
    log = times.path.with_name("late.csv")
    log.write_text(times.path.read_text() + late + "\n")
    root = times.path.parent / "data"
    now = prepared(log, "1970-01-29", root, times.before.folder.name, dataset="late")
    floor = fit_floor(kind, times.before.train, times.before.catalog)
    went_on = count_on(floor, times.before, now)
    anew = fit_floor(kind, now.train, now.catalog)
    assert went_on.catalog_digest == now.catalog.digest
    histories = Sequences.from_lists([[], [3], now.train.row(0).tolist()])
    torch.testing.assert_close(went_on.score(histories), anew.score(histories))
    (user,) = np.flatnonzero(now.users == "u1")
    (was,) = np.flatnonzero(times.before.users == "u1")
    kept = times.before.train.row(was).tolist()
    assert now.train.row(user).tolist()[: len(kept)] != kept, "the late row lies before the end"
