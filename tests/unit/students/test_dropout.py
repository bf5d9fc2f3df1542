"""Byte dropout is dropout."""

from __future__ import annotations

import pytest
import torch

from recdistill.students._dropout import ByteDropout


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5, 0.9])
def test_it_drops_at_its_rate_and_keeps_the_mean(rate: float):
    torch.manual_seed(0)
    x = torch.ones(999, 1001)
    y = ByteDropout(rate)(x)
    assert abs((y == 0).float().mean() - rate) < 1 / 256
    assert abs(y.mean() - 1) < 0.01


def test_neighbours_are_independent():
    torch.manual_seed(0)
    dropped = (ByteDropout(0.5)(torch.ones(1_000_000)) == 0).float()
    for distance in (1, 2, 8, 64):
        pairs = (dropped[:-distance] * dropped[distance:]).mean()
        assert abs(pairs - 0.25) < 0.003


def test_the_gradient_passes_where_the_value_did():
    x = torch.randn(50, 7, requires_grad=True)
    y = ByteDropout(0.4)(x)
    y.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad == 0, y == 0)


def test_it_rests_outside_training():
    x = torch.randn(5, 5)
    assert ByteDropout(0.5).eval()(x) is x
    assert ByteDropout(0.0)(x) is x
