"""Non-inferiority on per-user tables: what is found, and what the finding may never be."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill.errors import UserError
from recdistill.evaluation import compare_to_margin


def table(hits: np.ndarray, users: np.ndarray | None = None) -> pd.DataFrame:
    n = len(hits)
    made = pd.DataFrame(
        {
            "user": np.arange(n) if users is None else users,
            "target": np.arange(n) + 1,
            "n_above": np.where(hits, 0, 100),
            "n_tied": 0,
        }
    )
    made.attrs = {"protocol": "p", "catalog_digest": "c", "cases_digest": "d"}
    return made


def pair(n: int, share: float, moved: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Hits of two models: the second of ``share``, the first with some hits lost or gained."""
    draw = np.random.default_rng(seed)
    second = draw.random(n) < share
    first = second.copy()
    pool = np.flatnonzero(second if moved < 0 else ~second)
    first[draw.permutation(pool)[: round(abs(moved) * n)]] ^= True
    return first, second


def test_equal_models_are_not_worse_however_few_users_there_are() -> None:
    hits = np.arange(40) < 8
    found = compare_to_margin(table(hits), table(hits), margin=0.02)
    assert found.finding == "not worse"
    assert (found.delta, found.low, found.high) == (0, 0, 0)
    assert found.n_users_needed == 1
    nothing = table(np.zeros(40, bool))
    assert compare_to_margin(nothing, nothing, margin=0.02).finding == "not worse"


@pytest.mark.parametrize(
    ("moved", "margin", "finding"),
    [(0.02, 0.02, "better"), (-0.001, 0.1, "not worse"), (-0.03, 0.02, "worse")],
)
def test_a_clear_case_is_found(moved: float, margin: float, finding: str) -> None:
    first, second = pair(4000, 0.2, moved)
    found = compare_to_margin(table(first), table(second), margin=margin, metric="recall")
    assert found.finding == finding
    assert found.delta == pytest.approx(moved)
    assert found.low <= found.delta <= found.high


@pytest.mark.parametrize(("n", "finding"), [(1, "undecided"), (4, "undecided"), (5, "worse")])
def test_a_handful_who_all_lost_is_no_verdict(n: int, finding: str) -> None:
    hits, misses = table(np.ones(n, bool)), table(np.zeros(n, bool))
    assert compare_to_margin(misses, hits, margin=0.1).finding == finding


def test_few_users_who_differ_decide_nothing_and_the_number_that_would_is_said() -> None:
    draw = np.random.default_rng(3)
    first, second = draw.random(80) < 0.2, draw.random(80) < 0.2
    found = compare_to_margin(table(first), table(second), margin=0.02)
    assert found.finding == "undecided"
    assert found.n_users_needed > 10_000


def test_the_stated_number_of_users_is_enough_four_times_in_five() -> None:
    def drawn(n: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        draw = np.random.default_rng(seed)
        second = draw.random(n) < 0.3
        swapped = draw.random(n) < 0.1
        return table(np.where(swapped, draw.random(n) < 0.3, second)), table(second)

    first, second = drawn(4000, 0)
    needed = compare_to_margin(first, second, margin=0.1, metric="recall").n_users_needed
    found = [
        compare_to_margin(*drawn(int(needed), seed), margin=0.1, metric="recall").finding
        for seed in range(1, 21)
    ]
    assert 12 <= sum(one in ("better", "not worse") for one in found) <= 19


def test_cases_of_one_user_count_as_one_user() -> None:
    first, second = pair(400, 0.2, -0.02)
    alone = compare_to_margin(table(first), table(second), margin=0.0, metric="recall")
    users = np.arange(400) // 8
    order = np.argsort(first.astype(int) - second, kind="stable")  # the losses fall to one user
    together = compare_to_margin(
        table(first[order], users), table(second[order], users), margin=0.0, metric="recall"
    )
    assert (alone.n_users, together.n_users, together.n_cases) == (400, 50, 400)
    assert together.delta == pytest.approx(alone.delta)
    assert alone.finding == "worse"
    assert together.finding == "undecided"


def test_only_the_rows_that_count_are_compared() -> None:
    first, second = pair(1000, 0.3, -0.1)
    lost = first != second
    found = compare_to_margin(table(first), table(second), margin=0.02, rows=~lost)
    assert (found.finding, found.n_cases) == ("not worse", 900)
    with pytest.raises(UserError, match="No case counts"):
        compare_to_margin(table(first), table(second), margin=0.02, rows=np.zeros(1000, bool))


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=60),
    st.floats(0, 0.9),
    st.floats(0, 0.9),
)
def test_a_wider_margin_never_finds_worse(
    hits: list[tuple[bool, bool]], one: float, other: float
) -> None:
    order = {"worse": 0, "undecided": 1, "not worse": 2, "better": 3}
    first, second = (np.array(side) for side in zip(*hits, strict=True))
    narrow, wide = (
        order[compare_to_margin(table(first), table(second), margin=margin).finding]
        for margin in sorted((one, other))
    )
    assert narrow <= wide


def test_tables_of_other_cases_are_refused() -> None:
    other = table(np.ones(3, bool))
    other.attrs["cases_digest"] = "e"
    with pytest.raises(UserError, match="digests of users, histories and targets differ"):
        compare_to_margin(table(np.ones(3, bool)), other, margin=0.02)
