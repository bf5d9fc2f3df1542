"""Every loss against a plain float64 reference, gradients included."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from recdistill.errors import UserError
from recdistill.training import (
    GBCE,
    LossConfig,
    SampledSoftmax,
    Softmax,
    build_loss,
    weighted_logsumexp,
)


def _inputs(n: int, n_items: int, dim: int = 6, scale: float = 1.0):
    g = torch.Generator().manual_seed(n * 1000 + n_items)
    states = torch.randn(n, dim, generator=g, dtype=torch.float64) * scale
    table = torch.randn(n_items + 1, dim, generator=g, dtype=torch.float64)
    targets = torch.randint(1, n_items + 1, (n,), generator=g)
    return states.requires_grad_(), table.requires_grad_(), targets


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 50),
    n_items=st.integers(1, 30),
    chunk=st.integers(1, 60),
    scale=st.sampled_from([0.1, 3.0, 300.0]),
)
def test_chunked_softmax_equals_the_plain_one_with_gradients(
    n: int, n_items: int, chunk: int, scale: float
):
    states, table, targets = _inputs(n, n_items, scale=scale)
    weights = torch.full((n,), 1 / n, dtype=torch.float64)
    wanted = (states * F.embedding(targets, table)).sum() / n
    ours = weighted_logsumexp(states, table[1:], weights, chunk) - wanted
    plain = F.cross_entropy(states @ table[1:].T, targets - 1)
    torch.testing.assert_close(ours, plain)
    for a, b in zip(
        torch.autograd.grad(3 * ours, [states, table]),
        torch.autograd.grad(3 * plain, [states, table]),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


def test_weights_count_per_row():
    states, table, _ = _inputs(9, 5)
    weights = torch.arange(9, dtype=torch.float64)
    plain = ((states @ table[1:].T).logsumexp(1) * weights).sum()
    ours = weighted_logsumexp(states, table[1:], weights, 4)
    torch.testing.assert_close(ours, plain)
    for a, b in zip(
        torch.autograd.grad(ours, [states, table]),
        torch.autograd.grad(plain, [states, table]),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_softmax_equals_torch_with_label_smoothing(smoothing: float):
    states, table, targets = _inputs(33, 17)
    plain = F.cross_entropy(states @ table[1:].T, targets - 1, label_smoothing=smoothing)
    torch.testing.assert_close(Softmax(smoothing)(states, table, targets), plain)


def test_a_large_score_does_not_overflow():
    states, table, targets = (t.detach().float() for t in _inputs(8, 5, scale=1e4))
    loss = Softmax()(states, table, targets.long())
    assert torch.isfinite(loss)


def test_sampled_softmax_of_everything_is_the_full_softmax():
    states, table, targets = _inputs(21, 12)
    counts = np.arange(13)
    sampled = SampledSoftmax(12, counts)(states, table, targets)
    torch.testing.assert_close(sampled, Softmax()(states, table, targets))


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_sampled_softmax_tends_to_the_full_one_whatever_is_drawn_more_often(power: float):
    states, table, targets = _inputs(15, 1000, dim=2)
    counts = np.random.default_rng(0).geometric(0.02, 1001)
    torch.manual_seed(0)
    draws = [SampledSoftmax(900, counts, power)(states, table, targets) for _ in range(60)]
    full = Softmax()(states, table, targets)
    assert abs(torch.stack(draws).mean() - full) < 0.05
    uncorrected = SampledSoftmax(900, counts, power)
    uncorrected.log_expected = torch.zeros_like(uncorrected.log_expected) + np.log(900 / 1000 / 4)
    assert abs(uncorrected(states, table, targets) - full) > 0.3


def test_sampled_softmax_equals_its_formula():
    states, table, targets = _inputs(11, 9)
    counts = np.array([0, 5, 1, 1, 9, 2, 2, 3, 1, 7])
    torch.manual_seed(4)
    ours = SampledSoftmax(4, counts, 1.0)(states, table, targets)
    torch.manual_seed(4)
    share = (counts[1:] + 1) / (counts[1:] + 1).sum()
    drawn = torch.multinomial(torch.from_numpy(share), 4, replacement=True) + 1
    expected = 0.0
    for x, t in zip(states, targets, strict=True):
        positive = torch.exp(x @ table[t])
        rest = sum(
            torch.exp(x @ table[j]) / (4 * share[j - 1]) for j in drawn.tolist() if j != int(t)
        )
        expected = expected - torch.log(positive / (positive + rest)) / len(targets)
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("n_negatives", "t"), [(1, 0.0), (1, 1.0), (5, 0.0), (5, 0.75)])
def test_gbce_equals_its_formula(n_negatives: int, t: float):
    n, n_items = 70, 12
    states, table, targets = _inputs(n, n_items)
    loss = GBCE(n_items, n_negatives, t)
    torch.manual_seed(2)
    ours = loss(states, table, targets)
    torch.manual_seed(2)
    group = loss.rows_per_draw
    drawn = torch.randint(1, n_items + 1, (-(-n // group), n_negatives))
    rate = n_negatives / (n_items - 1)
    beta = rate * (t * (1 - 1 / rate) + 1 / rate)
    expected = torch.zeros((), dtype=torch.float64)
    for i in range(n):
        expected -= beta * torch.log(torch.sigmoid(states[i] @ table[targets[i]]))
        for j in drawn[i // group].tolist():
            if j != int(targets[i]):
                expected -= torch.log(1 - torch.sigmoid(states[i] @ table[j]))
    torch.testing.assert_close(ours, expected / (n * (1 + n_negatives)))


def test_gbce_without_calibration_is_bce():
    assert GBCE(100, 7, 0.0).beta == pytest.approx(1)
    assert GBCE(101, 25, 1.0).beta == pytest.approx(0.25)


@pytest.mark.parametrize("kind", ["softmax", "sampled_softmax", "mixed_softmax", "gbce", "bce"])
def test_padding_has_no_gradient_and_every_loss_learns(kind: str):
    _, table, targets = (t.detach() for t in _inputs(64, 20))
    config = LossConfig(kind=kind, n_negatives=8)  # type: ignore[arg-type]
    loss = build_loss(config, np.ones(21, np.int64))
    states = torch.zeros(64, 6, dtype=torch.float64, requires_grad=True)
    table.requires_grad_()
    torch.manual_seed(0)
    optimizer = torch.optim.Adam([states], lr=0.1)
    losses = []
    for _ in range(60):
        value = loss(states, table, targets)
        value.backward()
        losses.append(float(value.detach()))
        optimizer.step()
        optimizer.zero_grad()
    assert table.grad is not None
    assert not table.grad[0].any()
    # Two draws of negatives differ by chance; sixty steps of learning are far more than that.
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize(
    "knobs", [{"kind": "hinge"}, {"n_negatives": 0}, {"gbce_t": 1.5}, {"label_smoothing": 1.0}]
)
def test_impossible_losses_are_refused(knobs: dict[str, object]):
    with pytest.raises(UserError, match=r"loss\."):
        LossConfig(**knobs)  # type: ignore[arg-type]
