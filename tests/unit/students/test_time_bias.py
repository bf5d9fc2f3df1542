"""Buckets of time spans, and what the weights of students with and without times share."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recdistill.students import StudentConfig, Times, build_student, encode_at
from recdistill.students._time_bias import N_SPANS, spans_between

SMALL = {"dim": 8, "max_length": 6}
DAY, CENTURY = 86_400, 36_525 * 86_400


@given(st.lists(st.integers(-(10**10), 10**10), min_size=1, max_size=20))
def test_buckets_rise_with_the_span_by_the_reference_codes_formula(spans: list[int]) -> None:
    now = torch.tensor([[1_700_000_000]])
    found = spans_between(now, now - torch.tensor([sorted(spans)]))[0, 0].tolist()
    expected = [int(math.log(max(1, span)) / 0.301) for span in sorted(spans)]
    assert found == sorted(found)
    # Single precision may put a span on the very edge of a bucket into the one beside.
    assert all(abs(f - e) <= 1 for f, e in zip(found, expected, strict=True))
    assert [f for f, s in zip(found, sorted(spans), strict=True) if s <= 1] == [0] * sum(
        s <= 1 for s in spans
    )


def test_every_span_has_a_bucket() -> None:
    now = torch.tensor([[2**40]])
    ages = torch.tensor([[1, DAY, CENTURY, 2**40]])
    found = spans_between(now, now - ages)[0, 0].tolist()
    assert found[:3] == [0, 37, 72]
    assert max(found) < N_SPANS


def test_all_kinds_start_from_the_same_weights_and_states() -> None:
    items = torch.tensor([[3, 1, 4, 1, 5]])
    times = Times(torch.arange(5)[None] * DAY, torch.arange(1, 6)[None] * DAY)
    states = []
    for query_time in ("none", "last", "known"):
        config = StudentConfig("hstu", query_time=query_time, **SMALL)  # type: ignore[arg-type]
        states.append(encode_at(build_student(config, 9, seed=2).eval(), items, times))
    assert torch.equal(states[0], states[1])
    assert torch.equal(states[0], states[2])


@pytest.mark.parametrize("kind", ["sasrec", "ligr", "hstu", "gru4rec"])
def test_without_query_time_times_change_nothing(kind: str) -> None:
    model = build_student(StudentConfig(kind, **SMALL), 9, seed=2).eval()  # type: ignore[arg-type]
    items = torch.tensor([[3, 1, 4]])
    times = Times(torch.tensor([[0, DAY, CENTURY]]))
    assert torch.equal(encode_at(model, items, times), model.encode(items))
    assert not [name for name, _ in model.named_parameters() if "time" in name]
